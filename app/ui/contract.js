// Prepares the contract for Swagger UI, which shows it otherwise unchanged.

/** Returns the value, or what its `$ref` to a component leads to. */
function resolved(contract, value) {
  for (let steps = 0; value?.$ref?.startsWith("#/") && steps < 20; steps++) {
    const keys = value.$ref.slice(2).split("/").map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
    value = keys.reduce((parent, key) => parent?.[decodeURIComponent(key)], contract);
  }
  return value;
}

/** Formats a value as code in Markdown. */
function code(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``;
}

/** Describes a range in words, for example "from 1 to 100" or "at most 5 values"; undefined without limits. */
function range(least, most, unit = "", show = String) {
  if (least !== undefined && most !== undefined) {
    return (least === most ? `exactly ${show(least)}` : `from ${show(least)} to ${show(most)}`) + unit;
  }
  if (most !== undefined) return `at most ${show(most)}${unit}`;
  if (least !== undefined) return `at least ${show(least)}${unit}`;
}

/** Lists what a parameter's schema says about its values, in Markdown. */
function facts(contract, schema) {
  const own = resolved(contract, schema) ?? {};
  const all = Object.assign({}, ...(own.allOf ?? []).map((part) => resolved(contract, part)), own);
  const values = all.enum ?? resolved(contract, all.items)?.enum;
  return [
    "default" in all && `Default: ${code(all.default)}`,
    values && `One of ${values.map(code).join(", ")}`,
    range(all.minimum, all.maximum, "", code),
    all.multipleOf && `a multiple of ${code(all.multipleOf)}`,
    range(all.minLength, all.maxLength, " characters"),
    range(all.minItems, all.maxItems, " values"),
    all["x-pattern-description"],
  ].filter(Boolean);
}

/**
 * Adds default, range and allowed values of each parameter to its description. Leaves optional parameters empty, with
 * their examples in the descriptions: Swagger UI would fill in all of them, and "Execute" would fail, because the
 * examples of If-Match or a cursor do not match the user's data.
 */
function describeParameters(contract) {
  const owners = Object.values(contract.paths ?? {}).flatMap((path) => [path, ...Object.values(path ?? {})]);
  const parameters = owners.flatMap((owner) => owner?.parameters ?? []);
  for (const parameter of [...parameters, ...Object.values(contract.components?.parameters ?? {})]) {
    if (!parameter || parameter.$ref) continue;
    const list = facts(contract, parameter.schema);
    if (!parameter.required) {
      parameter.value = null; // Swagger UI treats this as cleared by the user
      if ("example" in parameter) list.push(`Example: ${code(parameter.example)}`);
    }
    const lines = list.map((fact) => `- ${fact[0].toUpperCase()}${fact.slice(1)}`);
    parameter.description = [parameter.description ?? "", lines.join("\n")].join("\n\n").trim();
  }
}

/** Makes the URLs of external documents absolute. Like all URLs in a contract, they are relative to its server. */
function resolveLinks(contract) {
  const server = contract.servers?.[0]?.url ?? "/";
  if (!URL.canParse(server, document.baseURI)) return;
  const base = new URL(server.replace(/\/?$/, "/"), document.baseURI);
  for (const owner of [contract, ...(contract.tags ?? [])]) {
    const documents = owner.externalDocs;
    if (documents && URL.canParse(documents.url, base)) documents.url = new URL(documents.url, base).href;
  }
}

/** Leaves out the headers about rate limits, which all responses have: they would make each a quarter taller. */
function omitRateLimits(contract) {
  const operations = Object.values(contract.paths ?? {}).flatMap((path) => Object.values(path ?? {}));
  const responses = operations.flatMap((operation) => Object.values(operation?.responses ?? {}));
  for (const response of [...responses, ...Object.values(contract.components?.responses ?? {})]) {
    delete response?.headers?.RateLimit;
    delete response?.headers?.["RateLimit-Policy"];
  }
}

/** Prepares a contract in place, and returns it. */
export function prepared(contract) {
  omitRateLimits(contract);
  describeParameters(contract);
  resolveLinks(contract);
  return contract;
}

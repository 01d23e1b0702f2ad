// Replacements of Swagger UI's components for operations.

/** Returns the phrase to search for, or an empty string. */
function searched({ layoutSelectors }) {
  const filter = layoutSelectors.currentFilter(); // `true` means that there is a field for it
  return typeof filter === "string" ? filter.trim() : "";
}

/** Replaces Swagger UI's list of operations if the search finds none, and announces the number that it finds. */
export function operations(Original, { React }) {
  const element = React.createElement;
  return (props) => {
    const phrase = searched(props);
    const groups = [...props.specSelectors.taggedOperations().values()];
    const count = groups.reduce((sum, group) => sum + group.get("operations").size, 0);
    const found = { 0: `No operation matches “${phrase}”.`, 1: "1 operation" }[count] ?? `${count} operations`;
    return element(
      React.Fragment,
      null,
      element("p", { className: "found", role: "status" }, phrase ? found : ""),
      phrase && count === 0
        ? element("button", { className: "btn", onClick: () => props.layoutActions.updateFilter("") }, "Show all operations")
        : element(Original, props),
    );
  };
}

/** Shows the schemas only while there is no search, because it does not find them. */
export function Models(Original, { React }) {
  return (props) => (searched(props) ? null : React.createElement(Original, props));
}

/** Replaces Swagger UI's DeepLink: plain text, because it is inside a button, which must not contain a link. */
export function DeepLink(Original, { React }) {
  return ({ text }) => React.createElement("span", null, text);
}

/** Replaces the button that stops or starts trying out: one can always try out. */
export function TryItOutButton() {
  return () => null;
}

/** Shows a documented response in one line. Its details open on request; those of a success are open at first. */
export function response(Original, { React }) {
  const element = React.createElement;
  return (props) => {
    const { code, response } = props;
    const [isOpen, setOpen] = React.useState(code.startsWith("2")); // they also determine the Accept header
    const Text = props.getComponent("Markdown", true);
    const hasDetails = ["content", "headers", "links"].some((name) => response.get(name)?.size);
    const verb = isOpen ? "Hide" : "Show";
    const button = {
      "aria-expanded": isOpen,
      "aria-label": `${verb} ${code}`,
      className: "response-toggle",
      onClick: () => setOpen(!isOpen),
    };
    return element(
      React.Fragment,
      null,
      element(
        "tr",
        { className: "response response-line" },
        element("td", { className: "response-col_status" }, code),
        element("td", { className: "response-col_description" }, element(Text, { source: response.get("description") })),
        element("td", { className: "response-col_links" }, hasDetails && element("button", button, verb)),
      ),
      hasDetails && isOpen && element(Original, { ...props, className: "response-details" }),
    );
  };
}

/** Shows a link to another operation in one line: its name, its description, and what it takes from the response. */
export function operationLink(Original, { React }) {
  const element = React.createElement;
  return ({ link, name, getComponent }) => {
    const values = [...(link.get("parameters")?.entries() ?? [])].map(([key, value]) => `${key} = ${value}`);
    return element(
      "div",
      { className: "operation-link" },
      element("code", null, name),
      element(getComponent("Markdown", true), { source: link.get("description") ?? "" }),
      values.length > 0 && element("small", null, values.join(", ")),
    );
  };
}

/** Quotes a word for a POSIX shell. */
function quoted(text) {
  return `'${String(text).replaceAll("'", "'\\''")}'`;
}

/** Returns curl's options for a body. */
function bodyOptions(body, contentType) {
  if (body instanceof File) return [`--data-binary ${quoted(`@${body.name}`)}`];
  if (typeof body?.entrySeq !== "function") return [`--data-raw ${quoted(typeof body === "string" ? body : JSON.stringify(body))}`];
  const option = /^multipart\//i.test(contentType) ? "--form" : "--data-urlencode";
  return [...body.entries()].map(([key, value]) => {
    const name = key.split("_**[]")[0]; // Swagger UI numbers repeated names
    return `${option} ${quoted(value instanceof File ? `${name}=@${value.name}` : `${name}=${value}`)}`;
  });
}

/** Returns a command for a POSIX shell that sends the request. */
function curlCommand(request) {
  const method = request.get("method");
  const headers = [...(request.get("headers")?.entries() ?? [])];
  const contentType = headers.find(([name]) => /^content-type$/i.test(name))?.[1] ?? "";
  const body = request.get("body");
  const shown = headers.filter(([name]) => !(/^content-type$/i.test(name) && /^multipart\//i.test(contentType)));
  return [
    `curl ${method === "GET" ? "" : `-X ${method} `}${quoted(request.get("url"))}`,
    ...shown.map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    ...(body === undefined || body === null || body === "" ? [] : bodyOptions(body, contentType)),
  ].join(" \\\n  ");
}

/** Replaces Swagger UI's command, with a button that copies it. */
export function curl(Original, { React }) {
  const element = React.createElement;
  return ({ request }) => {
    const command = curlCommand(request);
    const [copied, setCopied] = React.useState(null);
    const area = React.useRef(null);

    async function copy() {
      const isDone = await navigator.clipboard?.writeText(command).then(() => true, () => false);
      if (!isDone) { // the origin of the page is not secure, or the browser denies access
        getSelection().selectAllChildren(area.current);
        document.execCommand("copy");
      }
      setCopied(command);
    }

    return element(
      "div",
      { className: "curl-command" },
      element("h4", null, "Command"),
      element("button", { className: "btn copy-curl", onClick: copy }, copied === command ? "Copied" : "Copy as curl"),
      element("pre", { className: "curl microlight", ref: area }, command),
    );
  };
}

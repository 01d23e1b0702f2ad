// The top of the page: what this API is, where its documents are, whether it is ready, and the search.
import { isAllowed } from "./markdown.js";

const HEALTH = "/readyz";
const SECONDS = 15;

/** Splits a description into its first sentence and the rest. */
function split(text) {
  const first = text.match(/^[\s\S]*?[.!?](?=\s|$)/)?.[0] ?? text;
  return [first, text.slice(first.length).trim()];
}

/** Replaces Swagger UI's information about the API by a compact header. */
export function info(Original, { React, specSelectors }) {
  const element = React.createElement;

  function link(url, text) {
    return element("a", { key: url, href: url, rel: "noopener noreferrer", target: "_blank" }, text);
  }

  function links({ info, externalDocs }) {
    const documents = [externalDocs, ...specSelectors.tags().map((tag) => tag.get("externalDocs"))].filter(Boolean);
    const pairs = documents.map((document) => [document.get("url"), document.get("description")]);
    const license = info.get("license");
    return [
      ...[...new Map(pairs)].filter(([url]) => url && isAllowed(url)).map(([url, text]) => link(url, text || url)),
      ...["openapi.json", "openapi.yaml"].map((name) => link(`../${name}`, name)),
      license?.get("url") && isAllowed(license.get("url")) && link(license.get("url"), `${license.get("name")} license`),
    ];
  }

  return (props) => {
    const Text = props.getComponent("Markdown", true);
    const [first, rest] = split(props.info.get("description") ?? "");
    return element(
      "div",
      { className: "info" },
      element(
        "div",
        { className: "title-row" },
        element("h2", { className: "title" }, props.info.get("title")),
        element("span", { className: "version" }, props.info.get("version")),
        specSelectors.specJson().hasIn(["paths", HEALTH]) && element(Health, { React }),
      ),
      element("div", { className: "description" }, element(Text, { source: first })),
      element("nav", { "aria-label": "Documents", className: "documents" }, links(props)),
      rest && element(
        "details",
        { className: "conventions" },
        element("summary", null, "Conventions"),
        element(Text, { source: rest }),
      ),
    );
  };
}

/** Shows whether the service is ready, checked while the page is visible. */
function Health({ React }) {
  const [state, setState] = React.useState(["unknown", "Checking…"]);
  React.useEffect(() => {
    async function check() {
      if (document.hidden) return;
      const response = await fetch(`..${HEALTH}`).catch(() => null);
      if (!response) setState(["down", "Unreachable"]);
      else setState(response.ok ? ["up", "Ready"] : ["down", "Not ready"]);
    }
    check();
    const timer = setInterval(check, SECONDS * 1000);
    document.addEventListener("visibilitychange", check);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", check);
    };
  }, []);
  return React.createElement("span", { className: `health ${state[0]}`, role: "status" }, state[1]);
}

/** Replaces Swagger UI's list of servers, which is useful only if there is a choice. */
export function ServersContainer(Original, { React, specSelectors }) {
  return (props) => {
    const servers = specSelectors.servers();
    const isChoice = servers?.size > 1 || servers?.some((server) => server.has("variables"));
    return isChoice ? React.createElement(Original, props) : null;
  };
}

/** Replaces Swagger UI's filter by tag. */
export function FilterContainer(Original, { React }) {
  return ({ layoutActions, layoutSelectors }) => {
    const filter = layoutSelectors.currentFilter();
    return React.createElement(
      "div",
      { className: "wrapper search", role: "search" },
      React.createElement("input", {
        "aria-label": "Search operations",
        onChange: (event) => layoutActions.updateFilter(event.target.value),
        placeholder: "Search operations",
        type: "search",
        value: typeof filter === "string" ? filter : "",
      }),
    );
  };
}

/** Keeps the operations that have every word of the phrase in their path, method, summary, operationId or tag. */
export function opsFilter(tags, phrase) {
  const words = phrase.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (tag) => (operation) => {
    const details = operation.get("operation");
    const fields = [tag, operation.get("path"), operation.get("method"), details.get("summary"), details.get("operationId")];
    const text = fields.join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  };
  return tags
    .map((group, tag) => group.update("operations", (operations) => operations.filter(matches(tag))))
    .filter((group) => group.get("operations").size > 0);
}

// A file of its own, so that the Content-Security-Policy needs no inline script.

// What Markdown in a contract may become in the page. Anything else is left out, with all that it holds.
const ELEMENTS = new Set(
  ("a b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre s small span strong sub " +
    "sup table tbody td tfoot th thead tr u ul").split(" "),
);
const ATTRIBUTES = ["alt", "href", "src", "start", "title"];
const ADDRESS = { href: /^(https?|mailto):/i, src: /^(https?:|data:image\/)/i };

// Trusted Types (https://www.w3.org/TR/trusted-types/): what may be parsed here, and by Swagger UI's Markdown parser, which
// has the browser decode a character reference such as &nbsp;. Nothing else is made HTML out of text.
const policy = window.trustedTypes?.createPolicy("items", { createHTML: (html) => html });
window.trustedTypes?.createPolicy("default", { createHTML: (text) => (/^&#?\w+;$/.test(text) ? text : null) });

/** The nodes that this HTML stands for, in a document of their own, where nothing is loaded and nothing runs. */
function parsed(html) {
  return [...new DOMParser().parseFromString(policy ? policy.createHTML(html) : html, "text/html").body.childNodes];
}

/** Whether this address, as the page would follow it, is one of these. */
function leads(address, schemes) {
  return URL.canParse(address, document.baseURI) && schemes.test(new URL(address, document.baseURI).href);
}

/** Swagger UI's Markdown, put into the page element by element instead of with innerHTML. */
function Markdown(Original, { React }) {
  function rebuilt(node, key) {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (node.namespaceURI !== document.documentElement.namespaceURI || !ELEMENTS.has(node.localName)) return null;
    const attributes = { key };
    for (const name of ATTRIBUTES) {
      const value = node.getAttribute(name);
      if (value !== null && (!ADDRESS[name] || leads(value, ADDRESS[name]))) attributes[name] = value;
    }
    if (attributes.href) Object.assign(attributes, { rel: "noopener noreferrer", target: "_blank" });
    return React.createElement(node.localName, attributes, ...[...node.childNodes].map(rebuilt));
  }

  return (props) => {
    let element = Original(props);
    while (typeof element?.type === "function") element = element.type(element.props);
    const html = element?.props.dangerouslySetInnerHTML?.__html;
    if (!html) return null;
    return React.createElement("div", { className: element.props.className }, ...parsed(html).map(rebuilt));
  };
}

/**
 * The contract with its optional parameters empty at first and their examples in words: those of If-Match or a cursor
 * belong to other answers, and "Execute" with all of them would show an error or an empty list.
 */
function emptied(contract) {
  const owners = Object.values(contract.paths ?? {}).flatMap((path) => [path, ...Object.values(path ?? {})]);
  const parameters = owners.flatMap((owner) => owner?.parameters ?? []);
  for (const parameter of [...parameters, ...Object.values(contract.components?.parameters ?? {})]) {
    if (!parameter || parameter.$ref || parameter.required) continue;
    parameter.value = null; // to Swagger UI: a person has emptied it
    if ("example" in parameter) {
      parameter.description = `${parameter.description ?? ""}\n\nExample: \`${parameter.example}\``.trim();
    }
  }
  return contract;
}

/** What would be a link within the button that opens an operation. */
function DeepLink(Original, { React }) {
  return ({ text }) => React.createElement("span", null, text);
}

// Names for what Swagger UI leaves without one, for those who hear the page instead of seeing it.
const NAMES = {
  ".servers select": "Server",
  ".examples-select-element": "Example",
  ".content-type": "Media type",
  ".body-param__text": "Request body",
  ".copy-to-clipboard button": "Copy",
};

/** Repair what Swagger UI has just drawn: names, and code that can be scrolled from the keyboard. */
function repair() {
  const each = (selector, mend) => document.querySelectorAll(selector).forEach(mend);
  for (const [selector, name] of Object.entries(NAMES)) {
    each(`${selector}:not([aria-label])`, (element) => (element.ariaLabel = name));
  }
  each("[data-param-name] :is(input, select, textarea):not([aria-label])", (field) => {
    field.ariaLabel = field.closest("[data-param-name]").dataset.paramName;
  });
  each(".model-box-control:not([aria-label])", (button) => {
    if (!button.textContent.trim()) button.ariaLabel = "Details";
  });
  each(".responses-table[id]:not([aria-label])", (table) => (table.ariaLabel = table.id.replaceAll("_", " ")));
  each(".opblock-summary-control[aria-label]", (button) => (button.ariaLabel = null)); // it says less than the text
  each("pre.microlight:not([tabindex])", (code) => (code.tabIndex = 0));
}

new MutationObserver(repair).observe(document.getElementById("swagger-ui"), { childList: true, subtree: true });

window.ui = SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  tryItOutEnabled: true,
  queryConfigEnabled: false, // or ?url= in a link would show another contract as this one
  validatorUrl: null,
  plugins: [
    {
      wrapComponents: { Markdown, DeepLink },
      statePlugins: {
        spec: { wrapActions: { updateJsonSpec: (original) => (contract) => original(emptied(contract)) } },
      },
    },
  ],
});

// A separate file, because the Content-Security-Policy allows no inline scripts.

// The elements and attributes that Markdown in a contract may produce. Other elements are removed with their content.
const ELEMENTS = new Set(
  ("a b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre s small span strong sub " +
    "sup table tbody td tfoot th thead tr u ul").split(" "),
);
const ATTRIBUTES = ["alt", "href", "src", "start", "title"];
const URLS = { href: /^(https?|mailto):/i, src: /^(https?:|data:image\/)/i };

// Trusted Types (https://www.w3.org/TR/trusted-types/): only this file and Swagger UI's Markdown parser may turn strings
// into HTML. The parser lets the browser decode character references such as &nbsp;.
const policy = window.trustedTypes?.createPolicy("items", { createHTML: (html) => html });
window.trustedTypes?.createPolicy("default", { createHTML: (text) => (/^&#?\w+;$/.test(text) ? text : null) });

/** Parses HTML into nodes of a separate document, which loads nothing and runs nothing. */
function parsed(html) {
  return [...new DOMParser().parseFromString(policy ? policy.createHTML(html) : html, "text/html").body.childNodes];
}

/** Returns whether the URL, resolved against the page, matches the allowed schemes. */
function isAllowed(url, schemes) {
  return URL.canParse(url, document.baseURI) && schemes.test(new URL(url, document.baseURI).href);
}

/** Replaces Swagger UI's Markdown component: creates the elements one by one instead of using innerHTML. */
function Markdown(Original, { React }) {
  function rebuilt(node, key) {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (node.namespaceURI !== document.documentElement.namespaceURI || !ELEMENTS.has(node.localName)) return null;
    const attributes = { key };
    for (const name of ATTRIBUTES) {
      const value = node.getAttribute(name);
      if (value !== null && (!URLS[name] || isAllowed(value, URLS[name]))) attributes[name] = value;
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
 * Leaves optional parameters empty, and moves their examples into the descriptions. Swagger UI would fill in all of
 * them, and "Execute" would fail: the examples of If-Match or a cursor do not match the user's data.
 */
function withoutPresets(contract) {
  const owners = Object.values(contract.paths ?? {}).flatMap((path) => [path, ...Object.values(path ?? {})]);
  const parameters = owners.flatMap((owner) => owner?.parameters ?? []);
  for (const parameter of [...parameters, ...Object.values(contract.components?.parameters ?? {})]) {
    if (!parameter || parameter.$ref || parameter.required) continue;
    parameter.value = null; // Swagger UI treats this as cleared by the user
    if ("example" in parameter) {
      parameter.description = `${parameter.description ?? ""}\n\nExample: \`${parameter.example}\``.trim();
    }
  }
  return contract;
}

/** Replaces Swagger UI's DeepLink: plain text, because it is inside a button, which must not contain a link. */
function DeepLink(Original, { React }) {
  return ({ text }) => React.createElement("span", null, text);
}

// Accessible names for the controls that have none in Swagger UI.
const NAMES = {
  ".servers select": "Server",
  ".examples-select-element": "Example",
  ".content-type": "Media type",
  ".body-param__text": "Request body",
  ".copy-to-clipboard button": "Copy",
};

/** Adds accessible names, and makes code scrollable with the keyboard, after Swagger UI has rendered. */
function repair() {
  const each = (selector, change) => document.querySelectorAll(selector).forEach(change);
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
  each(".opblock-summary-control[aria-label]", (button) => (button.ariaLabel = null)); // shorter than the button's text
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
  queryConfigEnabled: false, // otherwise a link with ?url= could show another contract here
  validatorUrl: null,
  plugins: [
    {
      wrapComponents: { Markdown, DeepLink },
      statePlugins: {
        spec: { wrapActions: { updateJsonSpec: (original) => (contract) => original(withoutPresets(contract)) } },
      },
    },
  ],
});

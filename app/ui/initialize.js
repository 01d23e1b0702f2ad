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

window.ui = SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  tryItOutEnabled: true,
  queryConfigEnabled: false, // or ?url= in a link would show another contract as this one
  validatorUrl: null,
  plugins: [{ wrapComponents: { Markdown } }],
});

// Shows the Markdown of a contract without trusting it.

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
export function isAllowed(url, schemes = URLS.href) {
  return URL.canParse(url, document.baseURI) && schemes.test(new URL(url, document.baseURI).href);
}

/** Replaces Swagger UI's Markdown component: creates the elements one by one instead of using innerHTML. */
export function Markdown(Original, { React }) {
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

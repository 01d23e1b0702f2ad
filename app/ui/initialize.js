// Starts Swagger UI with this page's changes, which are a plugin:
// https://github.com/swagger-api/swagger-ui/blob/v4.15.5/docs/customization/plugin-api.md
import { prepared } from "./contract.js";
import { FilterContainer, ServersContainer, info, opsFilter } from "./header.js";
import { Markdown } from "./markdown.js";
import { DeepLink, Models, TryItOutButton, curl, operationLink, operations, response } from "./operations.js";

// Accessible names for the controls that have none in Swagger UI.
const NAMES = {
  ".servers select": "Server",
  ".examples-select-element": "Example",
  ".content-type": "Media type",
  ".body-param__text": "Request body",
  ".copy-to-clipboard button": "Copy",
};

/** Adds accessible names, and makes everything usable with the keyboard, after Swagger UI has rendered. */
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
  each(".download-contents:not([role])", (download) => {
    Object.assign(download, { role: "button", tabIndex: 0 });
    download.addEventListener("keydown", ({ key }) => key === "Enter" && download.click());
  });
}

new MutationObserver(repair).observe(document.getElementById("swagger-ui"), { childList: true, subtree: true });

window.ui = SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  tryItOutEnabled: true,
  queryConfigEnabled: false, // otherwise a link with ?url= could show another contract here
  validatorUrl: null,
  plugins: [
    {
      fn: { opsFilter },
      statePlugins: {
        spec: { wrapActions: { updateJsonSpec: (original) => (contract) => original(prepared(contract)) } },
      },
      wrapComponents: {
        DeepLink,
        FilterContainer,
        Markdown,
        Models,
        ServersContainer,
        TryItOutButton,
        curl,
        info,
        operationLink,
        operations,
        response,
      },
    },
  ],
});

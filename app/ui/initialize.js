// A file of its own, so that the Content-Security-Policy needs no inline script.
window.ui = SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  tryItOutEnabled: true,
  queryConfigEnabled: false, // or ?url= in a link would show another contract as this one
  validatorUrl: null,
});

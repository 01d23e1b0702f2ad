"""The contract at work: an OpenAPI file, enforced on every request and every response. Knows nothing of items."""

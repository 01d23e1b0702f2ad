"""Who may send requests, with `ACCESS=secured`: API keys and bearer tokens (docs/access.md)."""

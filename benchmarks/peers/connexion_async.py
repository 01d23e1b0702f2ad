"""Unmodified Connexion on its own framework, as in its quickstart: validates requests, but not responses."""

from connexion import AsyncApp

app = AsyncApp(__name__)
app.add_api("items.yaml")

"""Stock Connexion on its own framework, as its quickstart has it: requests validated, responses not."""

from connexion import AsyncApp

app = AsyncApp(__name__)
app.add_api("items.yaml")

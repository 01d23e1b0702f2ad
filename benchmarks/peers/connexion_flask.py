"""Stock Connexion on Flask, as its quickstart has it: requests validated, responses not."""

from connexion import FlaskApp

app = FlaskApp(__name__)
app.add_api("items.yaml")

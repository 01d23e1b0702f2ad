"""Unmodified Connexion on Flask, as in its quickstart: validates requests, but not responses."""

from connexion import FlaskApp

app = FlaskApp(__name__)
app.add_api("items.yaml")

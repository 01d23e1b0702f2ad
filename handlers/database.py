"""The database of the application that serves the present request."""

from typing import cast

from flask import current_app

from db.engine import Database

EXTENSION = "database"


def database() -> Database:
    """The application's database, as `create_app()` put it there."""
    return cast("Database", current_app.extensions[EXTENSION])

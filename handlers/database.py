"""The database of the application that serves the present request."""

from typing import cast

from contract import application
from db.engine import Database

EXTENSION = "database"


def database() -> Database:
    """The application's database, as `create_app()` put it there."""
    return cast("Database", application().extensions[EXTENSION])

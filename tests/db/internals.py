"""What tests look at inside of the engine."""

from db.engine import Database, _SQLite


def sqlite(database: Database) -> _SQLite:
    """The part of a database that is about SQLite."""
    assert isinstance(database._database, _SQLite)
    return database._database

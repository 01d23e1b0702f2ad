"""The four operations as every peer but the tutorial calls them: the service's own statements and SQLite settings."""

import os
from typing import Any

from sqlalchemy.engine import make_url

from db import items
from db.engine import Database

Item = dict[str, Any]
database = Database(make_url(os.environ["DATABASE_URL"]))


def list_items(limit: int) -> list[Item]:
    """The first `limit` items by id."""
    with database.read() as connection:
        return list(items.page(connection, "id", None, None, limit))


def get_item(item_id: int) -> Item | None:
    """One item, or None."""
    with database.read() as connection:
        stored = items.find(connection, item_id)
    return stored.body if stored else None


def create_item(name: str, description: str | None) -> Item:
    """The item as stored."""
    with database.write() as connection:
        return items.add(connection, name, description).body


def update_item(item_id: int, changes: Item) -> Item | None:
    """The item as changed, or None."""
    with database.write() as connection:
        stored = items.find_for_update(connection, item_id)
        return items.change(connection, stored, changes).body if stored else None

"""The four operations as every peer but the tutorial calls them: the service's own statements and SQLite settings.

Connections come as SQLAlchemy's documentation has it: `connect()` and `begin()` of an engine, which pools them, with
its recipe for `BEGIN IMMEDIATE`. With `CONNECTIONS=kept` they are the service's own, which stay open.
"""

import os
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import make_url

from db.engine import Database
from db.items import ITEMS
from db.sqlite import prepare_sqlite

Item = dict[str, Any]

if os.environ.get("CONNECTIONS") == "kept":
    database = Database(make_url(os.environ["DATABASE_URL"]))
    read, write = database.read, database.transaction
else:
    engine = create_engine(os.environ["DATABASE_URL"])
    event.listen(engine, "connect", prepare_sqlite)
    writer = engine.execution_options()
    read, write = engine.connect, writer.begin

    @event.listens_for(writer, "begin")
    def begin_immediate(connection: Connection) -> None:
        """Take the write lock at once (SQLAlchemy, SQLite dialect, Transactions with SQLite and the sqlite3 driver)."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def list_items(limit: int) -> list[Item]:
    """The first `limit` items by id."""
    with read() as connection:
        return ITEMS.page(connection, "id", {}, None, limit)


def get_item(item_id: int) -> Item | None:
    """One item, or None."""
    with read() as connection:
        stored = ITEMS.find(connection, item_id)
    return stored.body if stored else None


def create_item(name: str, description: str | None) -> Item:
    """The item as stored."""
    with write() as connection:
        return ITEMS.add(connection, {"name": name, "description": description}).body


def update_item(item_id: int, changes: Item) -> Item | None:
    """The item as changed, or None."""
    with write() as connection:
        stored = ITEMS.find_for_update(connection, item_id)
        return ITEMS.change(connection, stored, changes).body if stored else None

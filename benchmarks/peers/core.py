"""The four operations as every peer but the tutorial calls them, with the service's own statements.

Connections come as SQLAlchemy's documentation has it: `connect()` and `begin()` of an engine, which pools them, with
its recipe for `BEGIN IMMEDIATE`. With `CONNECTIONS=kept` two connections stay open, which is the cheapest way, for
peers that call this module only on their event loop. `SYNCHRONOUS` is `FULL` (durable) or `OFF`. SQLAlchemy runs the
statements, as in its documentation; with `STATEMENTS=prepared`, the driver runs them, as in the service.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from sqlite3 import Connection as Raw
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.engine import make_url

from db.items import ITEMS
from db.prepared import Prepared, Rows

Item = dict[str, Any]
URL = make_url(os.environ["DATABASE_URL"])
SYNCHRONOUS = os.environ.get("SYNCHRONOUS", "FULL")


def prepare(connection: Raw, _record: object) -> None:
    """Set up a new connection with the service's settings of SQLite."""
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
    connection.execute("PRAGMA foreign_keys = ON")


def through_sqlalchemy(self: Prepared, connection: Connection, values: Mapping[str, Any]) -> Rows:
    """Run a statement with `Connection.execute`."""
    result = connection.execute(self.statement, values)
    return result.all() if result.returns_rows else ()


if os.environ.get("STATEMENTS") != "prepared":
    Prepared.execute = through_sqlalchemy  # type: ignore[method-assign]  # in the processes of peers alone

read: Callable[[], AbstractContextManager[Connection]]
write: Callable[[], AbstractContextManager[Connection]]
if os.environ.get("CONNECTIONS") == "kept":
    registry.register("sqlite.kept", "benchmarks.peers.immediate", "ImmediateSQLite")
    engine = create_engine(URL)
    immediate = create_engine(URL.set(drivername="sqlite+kept"))
    for each in (engine, immediate):
        event.listen(each, "connect", prepare)
    reading, writing = engine.connect(), immediate.connect()

    @contextmanager
    def kept_read() -> Iterator[Connection]:
        """Return the connection that reads; it never sends `BEGIN`."""
        yield reading

    @contextmanager
    def kept_write() -> Iterator[Connection]:
        """Return the connection that writes, in a transaction."""
        with writing.begin():
            yield writing

    read, write = kept_read, kept_write
else:
    engine = create_engine(URL)
    event.listen(engine, "connect", prepare)
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

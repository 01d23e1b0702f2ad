"""The statements on items, each built once. Every function takes the connection it runs on."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, delete, insert, select, text, tuple_, update

from db.schema import items

MAX_ID = 2**53 - 1
SORT_COLUMNS = ("id", "name", "created_at", "updated_at")
_FIELDS = ("id", "name", "description", "created_at", "updated_at")
_COLUMNS = (*(items.c[name] for name in _FIELDS), items.c.version)


class StoredItem(NamedTuple):
    """An item as the contract shows it, and the number of its version (from 1, plus 1 with each write)."""

    body: dict[str, Any]
    version: int


class Position(NamedTuple):
    """A place in an order: the sort column's value, and the id that breaks ties."""

    key: int | str
    id: int


def find(connection: Connection, item_id: int) -> StoredItem | None:
    """The item with this id."""
    return _stored(connection.execute(_FIND, {"id": item_id}).first())


def find_for_update(connection: Connection, item_id: int) -> StoredItem | None:
    """The item with this id, kept from other writers until the transaction ends."""
    return _stored(connection.execute(_FIND_FOR_UPDATE, {"id": item_id}).first())


def page(
    connection: Connection, sort: str, name: str | None, after: Position | None, limit: int
) -> list[dict[str, Any]]:
    """At most `limit` items in the order `sort` (a column, with `-` downwards) behind `after`, by keyset."""
    parameters: dict[str, Any] = {"limit": limit}
    if name is not None:
        parameters["name"] = name
    if after is not None:
        parameters |= {"after_key": after.key, "after_id": after.id}
    rows = connection.execute(_PAGES[sort, name is not None, after is not None], parameters).all()
    return [
        {"id": id_, "name": name_, "description": description, "created_at": created_at, "updated_at": updated_at}
        for id_, name_, description, created_at, updated_at in rows  # a dict() of each pair costs three times as much
    ]


def add(connection: Connection, name: str, description: str | None) -> StoredItem:
    """Add an item."""
    now = _now()
    values = {"name": name, "description": description, "created_at": now, "updated_at": now}
    item_id = connection.execute(_ADD, values | {"version": 1}).scalar_one()
    return StoredItem({"id": item_id, **values}, 1)


def change(connection: Connection, item: StoredItem, members: Mapping[str, Any]) -> StoredItem:
    """Give `item` (found for update) other values of `name` and `description`, and with them a new version."""
    changed = StoredItem(item.body | dict(members) | {"updated_at": _now()}, item.version + 1)
    connection.execute(
        _CHANGE, {f"new_{key}": value for key, value in changed.body.items()} | {"new_version": changed.version}
    )
    return changed


def remove(connection: Connection, item_id: int) -> None:
    """Remove the item with this id."""
    connection.execute(_REMOVE, {"id": item_id})


def ping(connection: Connection) -> None:
    """Ask the database anything that needs the table."""
    connection.execute(_PING)


def _stored(row: Row[Any] | None) -> StoredItem | None:
    return None if row is None else StoredItem(dict(zip(_FIELDS, row, strict=False)), row[-1])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _page_statement(column: str, *, descending: bool, filtered: bool, positioned: bool) -> Select[Any]:
    key = items.c[column]
    order = [key] if column == "id" else [key, items.c.id]
    statement = select(*_COLUMNS[: len(_FIELDS)]).limit(bindparam("limit"))
    statement = statement.order_by(*(part.desc() if descending else part for part in order))
    if filtered:
        statement = statement.where(items.c.name == bindparam("name"))
    if positioned:
        place = tuple_(*order)
        after = tuple_(*(bindparam(name) for name in ("after_key", "after_id")[-len(order) :]))
        statement = statement.where(place < after if descending else place > after)
    return statement


_FIND = select(*_COLUMNS).where(items.c.id == bindparam("id"))
_FIND_FOR_UPDATE = _FIND.with_for_update()
_ADD = insert(items).returning(items.c.id)
_CHANGE = (
    update(items)
    .where(items.c.id == bindparam("new_id"))
    .values({name: bindparam(f"new_{name}") for name in ("name", "description", "updated_at", "version")})
)
_REMOVE = delete(items).where(items.c.id == bindparam("id"))
_PING = text("SELECT id FROM items LIMIT 1")
_PAGES = {
    ("-" * descending + column, filtered, positioned): _page_statement(
        column, descending=descending, filtered=filtered, positioned=positioned
    )
    for column in SORT_COLUMNS
    for descending in (False, True)
    for filtered in (False, True)
    for positioned in (False, True)
}

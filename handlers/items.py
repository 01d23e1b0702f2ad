"""Operations with the tag `items`."""

from typing import Any
from urllib.parse import quote

from contract.problems import Problem
from db import items
from db.items import Position, StoredItem
from handlers import cursors
from handlers.database import database
from handlers.paging import base, paged
from handlers.preconditions import etag, is_unmodified, require_preconditions

Item = dict[str, Any]
Headers = dict[str, str]


def list_items(
    limit: int, sort: str, cursor: str | None = None, name: str | None = None
) -> tuple[list[Item], int, Headers]:
    """One page, with the way to the next in `Link`."""
    after = cursors.decode(cursor, sort, name) if cursor is not None else None
    with database().read() as connection:
        found = items.page(connection, sort, name, after, limit + 1)
    query = f"limit={limit}&sort={sort}" + (f"&name={quote(name, safe='')}" if name is not None else "")
    return paged("/items", query, found, limit, lambda last: cursors.encode(sort, name, _position(sort, last)))


def create_item(body: Item) -> tuple[Item, int, Headers]:
    """Add an item."""
    with database().write() as connection:
        item = items.add(connection, body["name"], body.get("description"))
    return item.body, 201, {"Location": f"{base()}/items/{item.body['id']}", "ETag": etag(item.version)}


def get_item(
    item_id: int, if_match: str | None = None, if_none_match: str | None = None
) -> tuple[Item | None, int, Headers]:
    """The item, or 304 if the client has this version."""
    with database().read() as connection:
        item = _present(items.find(connection, item_id), item_id)
    if is_unmodified(item.version, if_match, if_none_match):
        return None, 304, {"ETag": etag(item.version)}
    return _answer(item)


def replace_item(
    item_id: int, body: Item, if_match: str | None = None, if_none_match: str | None = None
) -> tuple[Item, int, Headers]:
    """Write name and description anew; a description that is left out becomes null."""
    return _change(item_id, {"name": body["name"], "description": body.get("description")}, if_match, if_none_match)


def update_item(
    item_id: int, body: Item, if_match: str | None = None, if_none_match: str | None = None
) -> tuple[Item, int, Headers]:
    """Write the members that are there (RFC 7396)."""
    return _change(item_id, body, if_match, if_none_match)


def delete_item(item_id: int, if_match: str | None = None, if_none_match: str | None = None) -> tuple[None, int]:
    """Remove the item."""
    with database().write() as connection:
        item = _present(items.find_for_update(connection, item_id), item_id)
        require_preconditions(item.version, if_match, if_none_match)
        items.remove(connection, item_id)
    return None, 204


def _change(item_id: int, members: Item, if_match: str | None, if_none_match: str | None) -> tuple[Item, int, Headers]:
    with database().write() as connection:
        item = _present(items.find_for_update(connection, item_id), item_id)
        require_preconditions(item.version, if_match, if_none_match)
        return _answer(items.change(connection, item, members) if members else item)


def _present(item: StoredItem | None, item_id: int) -> StoredItem:
    if item is None:
        raise Problem(404, f"There is no item {item_id}.")
    return item


def _answer(item: StoredItem) -> tuple[Item, int, Headers]:
    return item.body, 200, {"ETag": etag(item.version)}


def _position(sort: str, item: Item) -> Position:
    return Position(item[sort.removeprefix("-")], item["id"])

"""Cursors: a place in a listing, as an opaque text bound to the listing's sort and filter."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson

from contract.problems import Problem
from db.items import MAX_ID, Position


def encode(sort: str, name: str | None, position: Position) -> str:
    """The cursor of the page behind `position`. Others than items name their listing in `sort`: `tags.id`."""
    return _encode([sort, name, position.key, position.id])


def decode(cursor: str, sort: str, name: str | None) -> Position:
    """The position that a cursor of this listing stands for; 404 for any other text: there is no such page."""
    try:
        document = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if _encode(document) == cursor and _is_place(document, sort, name):
            return Position(document[2], document[3])
    except (ValueError, TypeError):
        pass
    raise Problem(
        404, "There is no such page. Take the cursor from a Link header and keep the other parameters unchanged."
    )


def _encode(document: Any) -> str:
    return urlsafe_b64encode(orjson.dumps(document)).rstrip(b"=").decode()


def _is_place(document: Any, sort: str, name: str | None) -> bool:
    if not isinstance(document, list) or len(document) != 4 or document[:2] != [sort, name]:
        return False
    key, item_id = document[2:]
    if type(item_id) is not int or not 1 <= item_id <= MAX_ID:
        return False
    if sort.removeprefix("-").rpartition(".")[2] == "id":
        return type(key) is int and key == item_id
    return isinstance(key, str) and "\0" not in key

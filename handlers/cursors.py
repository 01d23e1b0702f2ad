"""Cursors: a position in a list, as an opaque string that is valid for one order and filter."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson

from contract.problems import Problem
from db.resources import MAX_ID, Position


def encode(order: str, filtered: Any, position: Position) -> str:
    """The cursor of the page after `position`, in this order and with this filter (any JSON)."""
    return _encode([order, filtered, position.key, position.id])


def decode(cursor: str, order: str, filtered: Any, kind: type) -> Position:
    """The position that a cursor of this list stands for, with a key of type `kind`; 404 for any other string."""
    try:
        document = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if _encode(document) == cursor and _is_position(document, order, filtered, kind):
            return Position(document[2], document[3])
    except (ValueError, TypeError):
        pass
    raise Problem(
        404, "There is no such page. Take the cursor from a Link header and keep the other parameters unchanged."
    )


def _encode(document: Any) -> str:
    return urlsafe_b64encode(orjson.dumps(document)).rstrip(b"=").decode()


def _is_position(document: Any, order: str, filtered: Any, kind: Any) -> bool:
    if not isinstance(document, list) or len(document) != 4 or document[:2] != [order, filtered]:
        return False
    key, row_id = document[2:]
    if type(row_id) is not int or not 1 <= row_id <= MAX_ID or type(key) is not kind:
        return False
    if order.rpartition(".")[2].removeprefix("-") == "id":
        return bool(key == row_id)
    return "\0" not in key if isinstance(key, str) else -MAX_ID <= key <= MAX_ID

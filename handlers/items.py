"""Operations with the tag `items`."""

from db.items import ITEMS
from db.resources import Values
from handlers.resources import Deleted, ETags, Found, Page, Resource, Written

_items = Resource("item", "/items", ITEMS)


def list_items(limit: int, sort: str, cursor: str | None = None, name: str | None = None) -> Page:
    """List items; `Link` has the next page."""
    return _items.page(limit, sort, cursor, {"name": name})


def create_item(body: Values) -> Written:
    """Create an item."""
    return _items.create({"description": None, **body})


def get_item(item_id: int, if_match: ETags = None, if_none_match: ETags = None) -> Found:
    """Get an item."""
    return _items.get(item_id, if_match, if_none_match)


def replace_item(item_id: int, body: Values, if_match: ETags = None, if_none_match: ETags = None) -> Written:
    """Replace an item; a description that is left out becomes null."""
    return _items.change(item_id, {"description": None, **body}, if_match, if_none_match)


def update_item(item_id: int, body: Values, if_match: ETags = None, if_none_match: ETags = None) -> Written:
    """Change the properties that are in the body (RFC 7396)."""
    return _items.change(item_id, body, if_match, if_none_match)


def delete_item(item_id: int, if_match: ETags = None, if_none_match: ETags = None) -> Deleted:
    """Delete an item."""
    return _items.delete(item_id, if_match, if_none_match)

"""Litestar with msgspec structs; handlers run on the event loop (`sync_to_thread=False`)."""

from typing import Annotated

from litestar import Litestar, get, patch, post
from litestar.exceptions import NotFoundException
from litestar.params import Parameter
from msgspec import UNSET, Meta, Struct, UnsetType

from benchmarks.peers import core

Name = Annotated[str, Meta(min_length=1, max_length=80)]
Description = Annotated[str, Meta(max_length=200)]


class NewItem(Struct, forbid_unknown_fields=True):
    name: Name
    description: Description | None = None


class ItemPatch(Struct, forbid_unknown_fields=True):
    name: Name | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET


class Item(Struct):
    id: int
    name: Name
    description: Description | None
    created_at: str
    updated_at: str


def found(item: core.Item | None) -> Item:
    """Return the item; raise 404 for None."""
    if item is None:
        raise NotFoundException("There is no such item.")
    return Item(**item)


@get("/items", sync_to_thread=False)
def list_items(limit: Annotated[int, Parameter(ge=1, le=100)] = 50) -> list[Item]:
    return [Item(**item) for item in core.list_items(limit)]


@get("/items/{item_id:int}", sync_to_thread=False)
def get_item(item_id: int) -> Item:
    return found(core.get_item(item_id))


@post("/items", sync_to_thread=False)
def create_item(data: NewItem) -> Item:
    return Item(**core.create_item(data.name, data.description))


@patch("/items/{item_id:int}", sync_to_thread=False)
def update_item(item_id: int, data: ItemPatch) -> Item:
    sent = {"name": data.name, "description": data.description}
    return found(core.update_item(item_id, {k: v for k, v in sent.items() if v is not UNSET}))


app = Litestar([list_items, get_item, create_item, update_item])

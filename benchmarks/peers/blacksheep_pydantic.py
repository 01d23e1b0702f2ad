"""BlackSheep with Pydantic models, and orjson as its documentation has it; handlers run on the event loop."""

from typing import Annotated

import orjson
from blacksheep import Application, FromJSON, FromQuery, Response, get, json, patch, post
from blacksheep.server.responses import not_found
from blacksheep.settings.json import json_settings
from pydantic import BaseModel, ConfigDict, Field

from benchmarks.peers import core

Name = Annotated[str, Field(min_length=1, max_length=80)]
Description = Annotated[str | None, Field(max_length=200)]


class NewItem(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name
    description: Description = None


class ItemPatch(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name = ""
    description: Description = None


def dumps(value: object) -> str:
    return orjson.dumps(value).decode()


json_settings.use(loads=orjson.loads, dumps=dumps)  # type: ignore[no-untyped-call]  # it has no annotations
app = Application()


def found(item: core.Item | None) -> Response:
    """Return the item, or a 404 for None."""
    return not_found("There is no such item.") if item is None else json(item)


@get("/items")
async def list_items(limit: FromQuery[int] = FromQuery(50)) -> Response:  # noqa: B008 - its documentation has it so
    return json(core.list_items(limit.value))


@get("/items/{item_id}")
async def get_item(item_id: int) -> Response:
    return found(core.get_item(item_id))


@post("/items")
async def create_item(data: FromJSON[NewItem]) -> Response:
    return json(core.create_item(data.value.name, data.value.description), 201)


@patch("/items/{item_id}")
async def update_item(item_id: int, data: FromJSON[ItemPatch]) -> Response:
    return found(core.update_item(item_id, data.value.model_dump(exclude_unset=True)))

"""FastAPI with Pydantic models and `def` endpoints, which it runs on threads."""

from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
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


class Item(BaseModel):
    id: int
    name: Name
    description: Description
    created_at: str
    updated_at: str


app = FastAPI()


@app.exception_handler(RequestValidationError)
async def refuse(_request: Request, error: RequestValidationError) -> PlainTextResponse:
    """Send 400 instead of 422, as "Handling Errors" in its tutorial does."""
    return PlainTextResponse(str(error), status_code=400)


def found(item: core.Item | None) -> core.Item:
    """Return the item; raise 404 for None."""
    if item is None:
        raise HTTPException(404, "There is no such item.")
    return item


@app.get("/items", response_model=list[Item])
def list_items(limit: Annotated[int, Query(ge=1, le=100)] = 50) -> list[core.Item]:
    return core.list_items(limit)


@app.get("/items/{item_id}", response_model=Item)
def get_item(item_id: int) -> core.Item:
    return found(core.get_item(item_id))


@app.post("/items", response_model=Item, status_code=201)
def create_item(item: NewItem) -> core.Item:
    return core.create_item(item.name, item.description)


@app.patch("/items/{item_id}", response_model=Item)
def update_item(item_id: int, patch: ItemPatch) -> core.Item:
    return found(core.update_item(item_id, patch.model_dump(exclude_unset=True)))

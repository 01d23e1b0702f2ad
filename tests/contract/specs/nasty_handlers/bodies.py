"""Operations with the tag `bodies`: each responses what it was sent."""

import asyncio
import uuid
from typing import Any

import flask
from connexion import request
from connexion.context import operation

Echo = dict[str, Any]


def post_tree(body: Any) -> Echo:
    """A tree."""
    return {"body": body}


def post_shape(body: Any) -> Echo:
    """A shape."""
    return {"body": body}


def post_thing(body: Any) -> Echo:
    """A thing."""
    return {"body": body}


def post_owned(body: Any) -> Any:
    """With what the server owns, more or less."""
    part = {name: value for name, value in {"number": 1, "title": "t"}.items() if body["name"] != f"no-{name}"}
    number = {} if body["name"] == "no-id" else {"id": 1}
    return number | {"name": body["name"], "parts": [part]}


def patch_variant(body: Any = None) -> Echo:
    """One of two media types, or the default."""
    return {"body": body}


def post_maybe(body: Any = "absent") -> Echo:
    """An object, null or nothing."""
    return {"body": body}


def post_form(body: Any, size: int | None = None) -> Echo:
    """A form."""
    return {"body": body, "size": size}


def post_upload(body: Any) -> Echo:
    """A form in parts."""
    return {"body": body}


def post_raw(body: Any) -> Echo:
    """Bytes."""
    return {"length": len(body)}


def post_context(body: Any) -> Echo:
    """What a handler sees around it."""
    before = "mark" in flask.g
    flask.g.mark = uuid.uuid4()
    return {
        "body": body,
        "application": flask.current_app.name.rpartition(".")[2],
        "g is new": not before,
        "operation": operation.operation_id,
        "method": request.method,
        "path": request.url.path,
        "query": request.url.query,
        "header": request.headers["X-Request-Id"],
        "client": request.client is not None,
    }


async def post_reread(body: Any) -> Echo:
    """The body once more, from the request itself."""
    again = await asyncio.wait_for(request.json(), 2)
    return {"same": again == body}

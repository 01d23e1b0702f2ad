"""The limit: bare ASGI, the same statements, and orjson. It checks lengths, and has no other features."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import orjson

from benchmarks.peers import core

Message = dict[str, Any]


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Respond to one request."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    status, content = respond(scope, await body(receive))
    payload = orjson.dumps(content)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(payload)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": payload})


async def body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    """Return the whole body of the request."""
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def respond(scope: Message, sent: bytes) -> tuple[int, object]:
    """Return status and content for a request."""
    method, path = scope["method"], scope["path"]
    if path == "/items" and method == "GET":
        query = parse_qs(scope["query_string"])
        return 200, core.list_items(int(query.get(b"limit", [b"50"])[0]))
    if path == "/items":
        data = orjson.loads(sent)
        return refused(data) or (201, core.create_item(data["name"], data.get("description")))
    item_id = int(path.removeprefix("/items/"))
    if method == "GET":
        return found(core.get_item(item_id))
    data = orjson.loads(sent)
    return refused(data) or found(core.update_item(item_id, data))


def refused(data: core.Item) -> tuple[int, object] | None:
    """Return a 400 if a length is invalid."""
    if not 1 <= len(data.get("name", "x")) <= 80:
        return 400, {"detail": "name must have 1 to 80 characters"}
    if len(data.get("description") or "") > 200:
        return 400, {"detail": "description must have at most 200 characters"}
    return None


def found(item: core.Item | None) -> tuple[int, object]:
    """Return the item, or a 404 for None."""
    return (404, {"detail": "There is no such item."}) if item is None else (200, item)

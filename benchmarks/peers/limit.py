"""The limit: bare ASGI, the same statements, and orjson, without validation and other features."""

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
    if path == "/items":
        if method == "POST":
            data = orjson.loads(sent)
            return 201, core.create_item(data["name"], data.get("description"))
        query = parse_qs(scope["query_string"])
        return 200, core.list_items(int(query.get(b"limit", [b"50"])[0]))
    item_id = int(path.removeprefix("/items/"))
    item = core.update_item(item_id, orjson.loads(sent)) if method == "PATCH" else core.get_item(item_id)
    return (404, {"detail": "There is no such item."}) if item is None else (200, item)

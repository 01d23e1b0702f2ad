"""Request bodies: read whole, and no more of them than the contract allows."""

import math

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from contract.problems import Problem

DEFAULT_LIMIT = 1 << 20


def limited(receive: Receive, length: str | None, limit: int) -> Receive:
    """`receive`, unless the body is known to be, or turns out to be, larger than `limit` bytes (413).

    `length` is the `Content-Length` header: 400 if it is not a number.
    """
    check_length(length, limit)
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise _too_large(limit)
        return message

    return receive_limited


def check_length(length: str | None, limit: int) -> None:
    """Refuse a body whose `Content-Length` is above `limit` bytes (413) or no number (400)."""
    if length is not None:
        if not (length.isascii() and length.isdigit()):
            raise Problem(400, "Content-Length must be a number of bytes.")
        if len(length) > 18 or int(length) > limit:
            raise _too_large(limit)


async def read(receive: Receive, limit: float = math.inf) -> bytes:
    """The whole body of a request, however it was sent; 413 if it is larger than `limit` bytes."""
    chunks: list[bytes] = []
    received = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        received += len(chunk)
        if received > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(limit: float) -> Problem:
    return Problem(413, f"The body may have at most {limit:.0f} bytes.")

"""Request bodies: read whole, and no more of them than the contract allows."""

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from contract.problems import Problem

DEFAULT_LIMIT = 1 << 20


def limited(receive: Receive, length: str | None, limit: int) -> Receive:
    """`receive`, unless the body is known to be, or turns out to be, larger than `limit` bytes (413).

    `length` is the `Content-Length` header: 400 if it is not a number.
    """
    if length is not None:
        if not (length.isascii() and length.isdigit()):
            raise Problem(400, "Content-Length must be a number of bytes.")
        if len(length) > 18 or int(length) > limit:
            raise _too_large(limit)
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise _too_large(limit)
        return message

    return receive_limited


async def read(receive: Receive) -> bytes:
    """The whole body of a request, however it was sent."""
    chunks: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(limit: int) -> Problem:
    return Problem(413, f"The body may have at most {limit} bytes.")

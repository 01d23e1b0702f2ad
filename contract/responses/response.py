"""A response on its way out, and how it is sent."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.concurrency import iterate_in_threadpool
from starlette.types import Scope, Send

WireHeaders = list[tuple[bytes, bytes]]
Pieces = Iterator[Any] | AsyncIterator[Any]
_BODILESS = (204, 304)
"""Statuses whose responses have neither a body nor a length (RFC 9110 §6.4.1)."""

WHOLE_RESPONSE = "contract.whole_response"
"""An extension of ASGI, for servers that take a response at once: a function of its status, headers and body."""


class Response:
    """Status, headers as ASGI has them (names in lower case), and the body: bytes, or an iterator over its pieces."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: WireHeaders, body: bytes | Pieces) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    async def send(self, scope: Scope, send: Send, *, is_head: bool) -> None:
        """Send the response; to HEAD, the same headers and no body (RFC 9110 §9.3.2)."""
        body = self.body
        if isinstance(body, bytes):
            if self.status not in _BODILESS:
                self.headers.append((b"content-length", b"%d" % len(body)))
            if WHOLE_RESPONSE in scope.get("extensions", ()):
                scope["extensions"][WHOLE_RESPONSE](self.status, self.headers, b"" if is_head else body)
                return
            await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
            await send({"type": "http.response.body", "body": b"" if is_head else body})
            return
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        if not is_head:
            async for piece in _encoded_pieces(body):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _encoded_pieces(body: Pieces) -> AsyncIterator[bytes]:
    """Yield the pieces of a long body. Plain iterators run on threads, so that other requests are served meanwhile."""
    pieces = body if isinstance(body, AsyncIterator) else iterate_in_threadpool(body)
    async for piece in pieces:
        yield piece if isinstance(piece, bytes) else str(piece).encode()

"""Gunicorn's `asgi` worker, with problem details for its own errors and without idle connections at its end. It hears
`X-Forwarded-Prefix` of those whose `X-Forwarded-Proto` Gunicorn believes.

Requests that are not HTTP (a Content-Length that is not a number, headers beyond the limits) never reach the
application: the server's protocol answers them, and here is the one place where it can be told how.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from gunicorn.asgi import protocol as gunicorn_protocol
from gunicorn.workers import gasgi

from app import prefix
from contract.problems import MEDIA_TYPE, Problem, status_title

_DETAILS = {
    400: "The request is not valid HTTP: {reason}.",
    414: "The URL is longer than this service accepts. Shorten it.",
    431: "The headers are larger than this service accepts. Send fewer or shorter headers.",
}


class Protocol(gunicorn_protocol.ASGIProtocol):  # type: ignore[misc]  # Gunicorn has no types
    """Gunicorn's HTTP/1.1 protocol; the form of its errors is ours, and who is connected is known."""

    def connection_made(self, transport: Any) -> None:
        """A client has connected."""
        self.worker.protocols.add(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """A client is gone."""
        self.worker.protocols.discard(self)
        super().connection_lost(exc)

    async def _handle_connection(self) -> None:
        """Serve a connection to its end, and then let go of what leads back here.

        Python's collector does not see into the C parser, which has callbacks: without this, every connection that
        there ever was would stay in memory.
        """
        try:
            await super()._handle_connection()
        finally:
            self._callback_parser = None

    def close_if_idle(self) -> None:
        """Close the connection if it has served a request and none is under way; a new one may have sent its first."""
        if self._awaiting_request and self.req_count > 1:
            self._close_transport()

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        reason = message.strip().rstrip(".") or status_title(status)
        problem = Problem(status, _DETAILS.get(status, "{reason}.").format(reason=reason))
        body = problem.body()
        headers = {
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(body)),
            "X-Request-Id": uuid4().hex,
            "Connection": "close",
            **dict(extra_headers),
        }
        head = f"HTTP/1.1 {status} {problem.title}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        self._safe_write(head.encode("latin-1") + b"\r\n" + body)

    def _build_http_scope(self, *args: Any) -> dict[str, Any]:
        """What the application is told of a request. `_forwarded_trust` is empty for peers that are not believed."""
        scope: dict[str, Any] = super()._build_http_scope(*args)
        if self._forwarded_trust[0]:
            prefix.restore(scope)
        return scope

    def _is_websocket_upgrade(self, _request: Any) -> bool:
        """The contract has no WebSockets: a request to upgrade is served as what it is without (RFC 9110 §7.8)."""
        return False


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]  # Gunicorn has no types
    """The `asgi` worker with that protocol."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.protocols: set[Protocol] = set()

    def init_signals(self) -> None:
        """Leave each signal to its default until the loop runs: uvloop forgets what comes before."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    async def _serve(self) -> None:
        super().init_signals()
        # Gunicorn has settings neither for the protocol nor for the reason phrases, of which it knows but some.
        gunicorn_protocol.ASGIProtocol._check_h1c_protocol_available()  # noqa: SLF001 -- or it is noted on the subclass
        gasgi.ASGIProtocol = Protocol
        phrases = {int(status): status_title(status) for status in HTTPStatus}
        gunicorn_protocol._REASON_PHRASES.update(phrases)  # noqa: SLF001 -- there is no other way in
        await super()._serve()

    async def _shutdown(self) -> None:
        """Finish the requests under way, and do not wait for connections on which there is none.

        Who is connected by then but not yet accepted would be sent away when the listening sockets are closed.
        """
        listeners = [listener.sock.dup() for listener in self.sockets]
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)  # the loop closes the sockets that the servers had: those here are the last
        waiting = [connection for listener in listeners for connection in _accept_all(listener)]
        for connection in waiting:
            await self.loop.connect_accepted_socket(lambda: Protocol(self), connection)
        for protocol in list(self.protocols):
            protocol.close_if_idle()
        await super()._shutdown()


def _accept_all(listener: socket.socket) -> Iterator[socket.socket]:
    """Everyone who waits; the socket is closed in the same breath, so that nobody queues up in between."""
    listener.settimeout(0)
    with listener, contextlib.suppress(OSError):
        while True:
            yield listener.accept()[0]

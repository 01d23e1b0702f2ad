"""Gunicorn's `asgi` worker, with problem details, path prefixes and a shutdown that does not wait for idle connections.

Requests that are not valid HTTP (an invalid Content-Length, headers beyond the limits) never reach the application.
Gunicorn's protocol class responds to them, and has no setting for the format. `X-Forwarded-Prefix` is trusted only from
the proxies whose `X-Forwarded-Proto` Gunicorn trusts. The access log gets what it needs and nothing more.
"""

import asyncio
import contextlib
import fcntl
import signal
import socket
import termios
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from gunicorn.asgi import protocol as gunicorn_protocol
from gunicorn.errors import ConfigError
from gunicorn.workers import gasgi

from app import prefix
from app.exchange import Exchange, InOwnContext
from contract.problems import MEDIA_TYPE, Problem, status_title
from contract.serving.request_ids import request_id

_DETAILS = {
    400: "The request is not valid HTTP: {reason}.",
    414: "The URL is longer than this service accepts. Shorten it.",
    431: "The headers are larger than this service accepts. Send fewer or shorter headers.",
}

_NOTICE_SECONDS = 0.2  # between the signal to stop and the stop; a connection that is being opened arrives in that time


class Protocol(gunicorn_protocol.ASGIProtocol):  # type: ignore[misc]  # Gunicorn has no types
    """Gunicorn's HTTP/1.1 protocol, with problem details as errors. The worker knows all open connections."""

    _exchange: Exchange | None = None
    """The request that is being served."""

    def connection_made(self, transport: Any) -> None:
        """Register the connection."""
        self.worker.protocols.add(self)
        self._server, self._client = (_endpoint(transport.get_extra_info(name)) for name in ("sockname", "peername"))
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Unregister the connection."""
        self.worker.protocols.discard(self)
        super().connection_lost(exc)

    async def _handle_connection(self) -> None:
        """Serve the connection, then drop the parser, which refers back to this object.

        Python's garbage collector cannot follow references in the C parser, so every connection would stay in memory.
        """
        try:
            await super()._handle_connection()
        finally:
            self._callback_parser = None

    async def _serve_http_request(self, request: Any, sockname: Any, peername: Any) -> bool:
        """Serve a request. Return whether the connection can be used again."""
        scope = self._build_http_scope(request, sockname, peername)
        self._exchange = exchange = Exchange(self, request, self._body_receiver, self._flow_control)
        try:
            return await InOwnContext(exchange.serve(scope))
        finally:
            self._exchange = None

    def will_close(self, request: Any) -> bool:
        """Return whether the connection ends after this request."""
        return self._will_close(request, False)  # noqa: FBT003 -- Gunicorn's signature

    def _will_close(self, *args: Any) -> bool:
        """Announce the end of the connection as soon as the worker has been told to stop."""
        return self.worker.stopping or bool(super()._will_close(*args))

    def close_if_idle(self) -> None:
        """Close the connection if it is idle and has served a request. A new one may be about to send its first.

        A request that has arrived is served, whether or not it has been read: closing the connection would lose it.
        """
        is_idle = self._awaiting_request and not self._request_ready.is_set()
        if is_idle and self.req_count > 1 and not _has_unread(self.transport.get_extra_info("socket")):
            self._close_transport()

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        reason = message.strip().rstrip(".") or status_title(status)
        problem = Problem(status, _DETAILS.get(status, "{reason}.").format(reason=reason))
        body = problem.body()
        id_ = request_id.get()
        if id_ == "-":
            id_ = uuid4().hex
        self._log_failure(id_, status, len(body))
        headers = {
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(body)),
            "X-Request-Id": id_,
            "Cache-Control": "no-store",
            "Connection": "close",
            **dict(extra_headers),
        }
        head = f"HTTP/1.1 {status} {problem.title}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        self._safe_write(head.encode("latin-1") + b"\r\n" + body)

    def respond_with_error(self, status: int) -> None:
        """Respond to the present request in place of the application."""
        self._send_error_response(status, status_title(status))

    def _log_failure(self, id_: str, status: int, size: int) -> None:
        """Log a response of this class: with the request that is being served, or by itself if there is none."""
        if self._closed:
            return
        if self._exchange:
            self._exchange.fail(status, size)
        elif self.log.access_log_enabled:
            request = self._current_request
            method, url = (request.method, request.uri) if request else ("", "")
            self.log.requests.put((time.time(), id_, self.client(request), method, url, status, size, 0.0))

    def client(self, request: Any) -> str:
        """Return the IP of the client: what a trusted proxy says, or else the peer's; on a Unix socket it has none."""
        if request and self._forwarded_trust[0]:
            for name, value in request.headers_bytes:
                if name == b"x-forwarded-for":
                    return str(value.rpartition(b",")[2].strip().decode("latin-1"))
        return str(self._client[0]) if self._client else ""

    def _build_http_scope(self, request: Any, *_endpoints: Any) -> dict[str, Any]:
        """Build the ASGI scope. `_forwarded_trust` is empty for clients that are not trusted proxies."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1" if request.version == (1, 1) else "1.0",
            "method": request.method,
            "scheme": request.scheme,
            "path": request.path,
            "raw_path": request.raw_path,
            "query_string": request.query.encode("latin-1"),
            "root_path": self._root_path,
            "headers": request.headers_bytes,
            "server": self._server,
            "client": self._client,
            "state": self.worker.state.copy(),
        }
        if self._forwarded_trust[0]:
            prefix.restore(scope)
        return scope

    def _is_websocket_upgrade(self, _request: Any) -> bool:
        """Ignore upgrades to WebSocket, because the contract has none (RFC 9110 §7.8)."""
        return False


def _endpoint(name: Any) -> tuple[str, int | None] | None:
    """Return the end of a connection as ASGI has it: host and port, the path of a Unix socket, or nothing."""
    if isinstance(name, str):
        return (name, None) if name else None
    return (name[0], name[1]) if name else None


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]  # Gunicorn has no types
    """The `asgi` worker with this protocol."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.protocols: set[Protocol] = set()
        self.stopping = False

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse what `app.exchange` would not run."""
        super().check_config(cfg, log)
        for name in ("pre_request", "post_request"):
            if cfg.settings[name].get() is not cfg.settings[name].default:
                raise ConfigError(f"{name} has no effect: pass around=[...] to contract.install()")

    def init_signals(self) -> None:
        """Use the default signal handlers until the event loop runs, because uvloop loses earlier signals."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    def run(self) -> None:
        """Serve until the end, and log all requests."""
        try:
            super().run()
        finally:
            self.log.requests.finish()

    async def _serve(self) -> None:
        super().init_signals()
        self.log.begin_worker(self.loop)
        gunicorn_protocol.ASGIProtocol._check_h1c_protocol_available()  # noqa: SLF001 -- else the result is cached on the subclass
        gasgi.ASGIProtocol = Protocol  # there is no setting for it
        await super()._serve()

    def notify(self) -> None:
        """Tell the main process, once a second, that the worker is alive; write lines that could not be written."""
        super().notify()
        self.log.requests.flush()

    def handle_exit_signal(self) -> None:
        """Stop after a moment, in which all responses announce the end of their connections.

        Gunicorn also closes connections whose last response has announced nothing, and a client may use them just then.
        """
        self.stopping = True
        self.loop.call_later(_NOTICE_SECONDS, super().handle_exit_signal)

    async def _shutdown(self) -> None:
        """Finish the running requests, and close idle connections.

        Accept pending connections first: closing the listeners would reset them. When the whole service stops,
        `app.drain` keeps new connections out of the queue, and those that are being opened get the time to arrive.
        """
        listeners = [listener.sock.dup() for listener in self.sockets]
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)  # now the event loop has closed its sockets, and these copies are the last ones
        pending = [connection for listener in listeners for connection in _accept_all(listener)]
        for connection in pending:
            await self.loop.connect_accepted_socket(lambda: Protocol(self), connection)
        for protocol in list(self.protocols):
            protocol.close_if_idle()
        await super()._shutdown()


def _has_unread(connection: Any) -> bool:
    """Return whether bytes have arrived that nobody has read."""
    return any(fcntl.ioctl(connection.fileno(), termios.FIONREAD, bytes(4)))


def _accept_all(listener: socket.socket) -> Iterator[socket.socket]:
    """Accept pending connections, then close the listener."""
    listener.settimeout(0)
    with listener, contextlib.suppress(OSError):
        while True:
            yield listener.accept()[0]

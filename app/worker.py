"""Gunicorn's `asgi` worker, with problem details, path prefixes and a shutdown that does not wait for idle connections.

Requests that are not valid HTTP (an invalid Content-Length, headers beyond the limits) never reach the application.
Gunicorn's protocol class responds to them, and has no setting for the format. `X-Forwarded-Prefix` is trusted only from
the proxies whose `X-Forwarded-Proto` Gunicorn trusts. The access log gets what it needs and nothing more.
`app.http_guard` decides which parser reads a request, and `app.limits` how long a connection may do what.
"""

import asyncio
import signal
import sys
import time
from typing import Any
from uuid import uuid4

from gunicorn.asgi import protocol as gunicorn_protocol
from gunicorn.errors import ConfigError
from gunicorn.workers import gasgi

from app import limits, observers, security_headers
from app.drain import accept_all, close_idle
from app.forwarded import client_ip
from app.hosts import Hosts
from app.server_problems import server_problem
from app.serving import ServingProtocol
from app.settings import Settings
from contract.problems import MEDIA_TYPE, forget_frames, status_title
from contract.serving.request_ids import request_id

_NOTICE_SECONDS = 0.2  # between the signal to stop and the stop; a connection that is being opened arrives in that time


class Protocol(ServingProtocol):
    """Gunicorn's HTTP/1.1 protocol, with problem details as errors."""

    async def _handle_connection(self) -> None:
        """Serve the connection, then drop what refers back to this object, so that it leaves memory at once.

        Python's garbage collector cannot follow references in the C parser, so every connection would stay for ever.
        """
        try:
            await super()._handle_connection()
        finally:
            self._callback_parser = self._body_receiver = None
            self.__dict__.pop("_feed_callback_parser", None)  # it may discard what arrives

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        if status == 500 and self._body_receiver is not None and self._body_receiver._body_wait_expired:  # noqa: SLF001 -- as Gunicorn's own protocol does
            status, message = 408, ""
        is_trusted = bool(self._forwarded_trust and self._forwarded_trust[0])
        problem = server_problem(status, message, self._current_request if is_trusted else None)
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
            **security_headers.HEADERS,
            **dict(extra_headers),
        }
        head = f"HTTP/1.1 {status} {problem.title}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        self._safe_write(head.encode("latin-1") + b"\r\n" + body)
        forget_frames(sys.exception())  # of the parser, some of whose exceptions refer to themselves

    def respond_with_error(self, status: int) -> None:
        """Respond to the present request in place of the application."""
        self._send_error_response(status, status_title(status))

    def _log_failure(self, id_: str, status: int, size: int) -> None:
        """Log a response of this class: with the request that is being served, or by itself if there is none."""
        if self._closed:
            return
        if self._exchange:
            self._exchange.fail(status, size)
        elif self.log.collects_requests:
            request = self._current_request
            method, url = (request.method, request.uri) if request else ("", "")
            self.log.requests.put((time.time(), id_, self.client(request), method, url, status, size, 0.0, "-", ""))

    def client(self, request: Any) -> str:
        """Return the IP of the client: what a trusted proxy says, or else the peer's; on a Unix socket it has none."""
        forwarded = client_ip(request.headers_bytes) if request and self._forwarded_trust[0] else ""
        return forwarded or (str(self._client[0]) if self._client else "")


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]  # Gunicorn has no types
    """The `asgi` worker with this protocol."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settings = Settings.from_environ()
        self.hosts = Hosts(settings.allowed_hosts)
        self.protocols: set[Protocol] = set()
        self.stopping = False
        self._connections_per_ip = settings.connections_per_ip
        self._slow_request_ms = settings.slow_request_ms
        self._main_loop: asyncio.Task[None] | None = None

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
        self._look = observers.begin(self, self._slow_request_ms)
        self.limits = limits.of_worker(self.loop, self.cfg, self._connections_per_ip)
        gunicorn_protocol.ASGIProtocol._check_h1c_protocol_available()  # noqa: SLF001 -- else the result is cached on the subclass
        gasgi.ASGIProtocol = Protocol  # there is no setting for it
        self._tick()
        await super()._serve()

    def _tick(self) -> None:
        """Once a second, also while the worker stops: look at all connections, and show that the worker is alive."""
        gasgi.ASGIWorker.notify(self)
        self.limits.watch(self.protocols)
        self._look(self.protocols)
        self.loop.call_later(1, self._tick)

    def notify(self) -> None:
        """Tell the main process, once a second, that the worker is alive; write lines that could not be written."""
        super().notify()
        self.log.requests.flush()
        self._main_loop = asyncio.current_task()  # Gunicorn calls this right before it sleeps for a second

    def handle_exit_signal(self) -> None:
        """Stop after a moment, in which all responses announce the end of their connections."""
        if not self.stopping:
            self.stopping = True
            self.loop.call_later(_NOTICE_SECONDS, self._stop)

    @property
    def stops_at_once(self) -> bool:
        """Whether the worker has been told to stop without waiting for running requests."""
        return bool(self._quick_shutdown)

    def handle_quit_signal(self) -> None:
        """Stop at once."""
        super().handle_quit_signal()
        self._wake()

    def _stop(self) -> None:
        super().handle_exit_signal()
        self._wake()

    def _wake(self) -> None:
        """End the sleep of Gunicorn's main loop, which then shuts down."""
        if self._main_loop is not None:
            self._main_loop.cancel()
            self._main_loop = None

    async def _shutdown(self) -> None:
        """Finish the running requests, and close idle connections.

        Accept pending connections first: closing the listeners would reset them. When the whole service stops,
        `app.drain` keeps new connections out of the queue, and those that are being opened get the time to arrive.
        """
        self._main_loop = None
        listeners = [listener.sock.dup() for listener in self.sockets]
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)  # now the event loop has closed its sockets, and these copies are the last ones
        pending = [connection for listener in listeners for connection in accept_all(listener)]
        for connection in pending:
            await self.loop.connect_accepted_socket(lambda: Protocol(self), connection)
        await close_idle(self)
        await super()._shutdown()

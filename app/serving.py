"""A connection serves its requests: at once where nothing is waited for, else in its task."""

import asyncio
from typing import Any

from app import prefix
from app.connections import LimitedProtocol
from app.exchange import Exchange, InOwnContext


class ServingProtocol(LimitedProtocol):
    """A connection that runs the application, in place of Gunicorn's methods for all kinds of applications."""

    _exchange: Exchange | None = None
    """The request that is being served."""
    _running: InOwnContext | None = None
    """What serves it, once it has begun."""

    def connection_made(self, transport: Any) -> None:
        """Note both ends of the connection."""
        self._server, self._client = (_endpoint(transport.get_extra_info(name)) for name in ("sockname", "peername"))
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, and serve a request at once, without a switch to the connection's task."""
        super().data_received(data)
        if self._current_request is None or self._request_ready.is_set():
            return
        if self._closed or not self._has_body() or not self._serve_at_once():
            self._request_ready.set()  # the task goes on

    def _serve_at_once(self) -> bool:
        """Serve the request as far as it waits for nothing, as the connection's task would.

        Return whether that was all, and the task can go on waiting for the next request.
        """
        self._running = running = self._begin()
        asyncio._enter_task(self.worker.loop, self._task)  # noqa: SLF001 -- asyncio documents it
        try:
            is_done = running.start()
        finally:
            asyncio._leave_task(self.worker.loop, self._task)  # noqa: SLF001 -- asyncio documents it
        if not is_done or not running.result or self._callback_parser.remaining():
            return False
        self._callback_parser.reset()
        self._running = self._exchange = self._current_request = self._body_receiver = None
        self.worker.nr += 1
        self.req_count += 1
        return True

    def _begin(self) -> InOwnContext:
        request = self._current_request
        self._exchange = exchange = Exchange(self, request, self._body_receiver, self._flow_control)
        return InOwnContext(exchange.serve(self._build_http_scope(request)))

    async def _serve_http_request(self, *_ends: Any) -> bool:
        """Serve a request. Return whether the connection can be used again."""
        running = self._running or self._begin()
        try:
            return await running
        finally:
            self._running = self._exchange = None
            if not self._has_body():
                await self.linger()

    def will_close(self, request: Any) -> bool:
        """Return whether the connection ends after this request."""
        return self._will_close(request, False)  # noqa: FBT003 -- Gunicorn's signature

    def _build_http_scope(self, request: Any, *_ends: Any) -> dict[str, Any]:
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
        if self._forwarded_trust[0] and getattr(request, "is_forwarded", True):
            prefix.restore(scope)
            if ip := self.client(request):
                scope["client"] = (ip, 0)
        return scope

    def _is_websocket_upgrade(self, _request: Any) -> bool:
        """Ignore upgrades to WebSocket, because the contract has none (RFC 9110 §7.8)."""
        return False


def _endpoint(name: Any) -> tuple[str, int | None] | None:
    """Return the end of a connection as ASGI has it: host and port, the path of a Unix socket, or nothing."""
    if isinstance(name, str):
        return (name, None) if name else None
    return (name[0], name[1]) if name else None

"""What the connections of a worker are doing, and how they end: `app.limits` decides when."""

import asyncio
import contextlib
from typing import Any

from app import limits
from app.drain import has_unread
from app.http_guard import LINGER_SECONDS, GuardedProtocol, discard


class LimitedProtocol(GuardedProtocol):
    """A connection that the worker knows and ends when it takes too long. `worker.limits` counts it."""

    _responding_to = 0
    """The number of the last request whose response has started."""
    _is_half_closed = False
    """Whether the client has closed its sending side."""

    _exchange: Any = None
    """The request that is being served, or None."""
    _gone: asyncio.Event | None = None
    """Set when the connection has ended, while something waits for it."""

    def connection_made(self, transport: Any) -> None:
        """Register the connection, and refuse it if there are too many."""
        self.worker.protocols.add(self)
        super().connection_made(transport)
        status = self.worker.limits.admit(self, transport.get_extra_info("peername"))
        if status is not None:
            self._refuse(status, "", [("Retry-After", "1")])

    def connection_lost(self, exc: Exception | None) -> None:
        """Unregister the connection."""
        self.worker.protocols.discard(self)
        self.worker.limits.forget(self, self.transport.get_extra_info("peername"))
        if self._gone is not None:
            self._gone.set()
        super().connection_lost(exc)

    def eof_received(self) -> bool:
        """Keep the connection for the response, if the client closes its sending side after a request (RFC 9112 §9.6).

        Otherwise the transport closes it.
        """
        self._is_half_closed = True
        return not self._is_ssl and self._request_ready.is_set() and self._has_body()

    def _has_body(self) -> bool:
        """Return whether the whole body of the current request has arrived."""
        receiver = self._body_receiver
        return receiver is None or bool(receiver._complete)  # noqa: SLF001 -- as Gunicorn's own protocol does

    async def linger(self) -> None:
        """Close the sending side, and discard what the client still sends, until it has the response (RFC 9112 §9.6).

        Closing at once would reset the connection, and the client could lose the response.
        """
        if self._closed or self._is_ssl:
            return
        self._feed_callback_parser = discard  # type: ignore[method-assign, assignment]
        self._gone = asyncio.Event()
        self.transport.write_eof()
        self._resume_reading()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), LINGER_SECONDS)

    @property
    def is_serving(self) -> bool:
        """Whether a request has no complete response yet."""
        return self._exchange is not None

    def phase(self) -> limits.Phase:
        """Return what the connection is doing."""
        unsent = self.transport.get_write_buffer_size()
        if self._closed:
            name = limits.CLOSING
        elif unsent:
            name = limits.SENDING
        elif self._request_ready.is_set():
            name = limits.SERVING if self._has_body() else limits.BODY
        elif self._finishing_calls:
            name = limits.SERVING
        elif self.req_count <= 1 or self._has_partial_head or self._is_half_closed:
            name = limits.HEAD
        else:
            name = limits.IDLE
        return name, self.req_count, unsent

    def expire(self, phase: str) -> None:
        """End a connection that has done one thing for too long; respond with 408 if a request has begun."""
        if phase in (limits.SENDING, limits.CLOSING):
            self.transport.abort()
        elif (phase == limits.BODY or self._has_partial_head) and self._responding_to != self.req_count:
            self._refuse(408, "")
        else:
            self._keepalive_timeout()

    def give_way(self, phase: str) -> bool:
        """End the connection in favour of a new one. Return False if a request has arrived that nobody has read."""
        if phase == limits.IDLE and has_unread(self.transport.get_extra_info("socket")):
            return False
        self.expire(phase)
        return True

    def _refuse(self, status: int, reason: str, headers: Any = ()) -> None:
        """Respond with a problem, and close the connection."""
        self._send_error_response(status, reason, headers)
        self._keepalive_timeout()  # closes, and wakes the task that waits for a request

    def _arm_keepalive_timer(self) -> None:
        """Do nothing: `app.limits` needs no timer for each request."""

    def _will_close(self, *args: Any) -> bool:
        """Announce the end of the connection when the worker has been told to stop, or nothing more can come.

        Also when the body is still on its way: nothing reads it any more (RFC 9112 §9.3).
        """
        self._responding_to = self.req_count
        if self._is_half_closed and not self._callback_parser.remaining():
            return True
        return self.worker.stopping or not self._has_body() or bool(super()._will_close(*args))

    def close_if_idle(self, least_requests: int) -> None:
        """Close the connection if it is idle and has served so many requests. A new one may be about to send its first.

        A request that has arrived is served, whether or not it has been read: closing the connection would lose it.
        """
        is_idle = self._awaiting_request and not self._request_ready.is_set()
        if is_idle and self.req_count > least_requests and not has_unread(self.transport.get_extra_info("socket")):
            self._keepalive_timeout()

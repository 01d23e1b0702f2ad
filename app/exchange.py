"""One HTTP/1.1 request and its response: runs the application, writes what it sends, and logs the request.

Gunicorn has code for that, too, which serves every kind of application, and costs a fifth of a GET more: two closures,
a task and a future for each request, and checks of each header by itself. The parser, and the loop over the requests of
a connection, are Gunicorn's.
"""

import re
import sys
import time
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Generator
from contextvars import copy_context
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from starlette.types import Message, Scope

from app import security_headers
from app.access_log import CLIENT_CLOSED
from contract.problems import status_title
from contract.responses.response import WHOLE_RESPONSE, WireHeaders
from contract.serving.request import OPERATION_ID
from contract.serving.request_ids import request_id
from contract.serving.traces import trace_id

_LINES = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++: [\t\x20-\x7e\x80-\xff]*+\r\n)*+")
"""Lines of headers (RFC 9110 §5.1, §5.5). A line break in a value makes a line more than there are headers."""
_OWN = frozenset({b"content-length", b"transfer-encoding", b"connection", b"date", b"server"})
"""Headers that this module writes; of the application's, only the last two and the length count."""
_LARGE = 65536
"""Bytes of a body that are not copied to be behind the headers."""


class Exchange:
    """A request on a connection, which is an `app.worker.Protocol`. `status` is 0 until there is a response."""

    __slots__ = ("_connection", "_flow", "_has_body", "_head", "_is_chunked", "_left", "_receiver", "_request",
                 "_transport", "_will_close", "is_complete", "sent", "status")  # fmt: skip

    def __init__(self, connection: Any, request: Any, receiver: Any, flow: Any) -> None:
        self._connection = connection
        self._transport = connection.transport
        self._request = request
        self._receiver = receiver
        self._flow = flow
        self._head = b""  # until it is written together with the first part of the body
        self._has_body = self._is_chunked = self._will_close = False
        self._left = 0  # bytes of the body that Content-Length still allows
        self.is_complete = False
        self.status = 0
        self.sent = 0  # bytes of the body

    async def serve(self, scope: Scope) -> bool:
        """Run the application, and log the request. Return whether the connection can be used again."""
        connection = self._connection
        began = time.monotonic()
        try:
            scope["extensions"] = {WHOLE_RESPONSE: self.respond}
            await connection.app(scope, self._receiver.receive, self.send)
            if self._flow.write_paused:
                await self._flow.drain()
        except CancelledError:
            self._will_close = True
        except Exception:
            connection.log.exception("Error in ASGI application")
            self._will_close = True
        self._end()
        if connection.log.collects_requests:
            now, id_, request = time.time(), request_id.get(), self._request
            client = scope["client"][0] if scope["client"] else ""
            seconds = time.monotonic() - began
            operation, trace = scope.get(OPERATION_ID, "-"), trace_id.get()
            connection.log.requests.put(
                (now, id_, client, request.method, request.uri, self.status, self.sent, seconds, operation, trace)
            )
        return self.is_complete and not self._left and not self._will_close

    def _end(self) -> None:
        """Respond in place of an application that has not, unless the client is gone."""
        if self._transport.is_closing():
            self.fail(CLIENT_CLOSED, 0)
        elif not self.status:
            self._connection.respond_with_error(500)
        elif not self.is_complete:
            self._connection.log.error("The application has not completed its response; the connection is closed")

    def fail(self, status: int, size: int) -> None:
        """Note what the client gets, or that it is gone, unless the application has responded."""
        if not self.status:
            self.status, self.sent = status, size

    async def send(self, message: Message) -> None:
        """Take a part of the response from the application (ASGI). Ignore it if the client is gone."""
        if self._transport.is_closing():
            return
        if message["type"] == "http.response.start" and not self.status:
            self._start(message["status"], message.get("headers", ()))
        elif message["type"] == "http.response.body" and self.status and not self.is_complete:
            self._write(bytes(message.get("body", b"")), is_last=not message.get("more_body", False))
            if self._flow.write_paused:
                await self._flow.drain()
        else:
            raise RuntimeError(f"the application cannot send {message['type']} now")

    def respond(self, status: int, headers: WireHeaders, body: bytes) -> None:
        """Take a whole response from the application, without `send` and its messages (`WHOLE_RESPONSE`)."""
        if self._transport.is_closing():
            return
        if self.status:
            raise RuntimeError("the application has responded already")
        self._start(status, headers)
        self._write(body, is_last=True)

    def _start(self, status: int, headers: WireHeaders) -> None:
        """Make the status line and the headers, and decide how the body is framed (RFC 9112 §6.3)."""
        own: dict[bytes, bytes] = {}
        lines = []
        for name, value in headers:
            if name in _OWN:
                own[name] = value
            else:
                lines.append(b"%b: %b\r\n" % (name, value))
        if status >= 200 and status != 204:
            self._frame(status, own.get(b"content-length"), lines)
        lines += [b"%b: %b\r\n" % (name, own[name]) for name in (b"server", b"date") if name in own]
        head = b"".join(lines)
        if head.count(b"\n") != len(lines) or not _LINES.fullmatch(head):
            raise ValueError("a header of the response has an invalid name or value")
        self._will_close = self._connection.will_close(self._request) or self._will_close
        self._head = b"%b%b%b%b%b\r\n" % (
            _status_line(status),
            head,
            _general(int(time.time()), b"server" in own, b"date" in own),
            b"Connection: close\r\n" if self._will_close else b"",
            security_headers.lines(headers),
        )
        self._receiver.expect_continue = False  # the client gets no 100 after this (RFC 9110 §10.1.1)
        self.status = status

    def _frame(self, status: int, length: bytes | None, lines: list[bytes]) -> None:
        self._has_body = self._request.method != "HEAD" and status != 304
        if length is not None:
            lines.append(b"Content-Length: %b\r\n" % length)
            self._left = int(length) if self._has_body else 0
        elif self._has_body and self._request.version >= (1, 1):
            lines.append(b"Transfer-Encoding: chunked\r\n")
            self._is_chunked = True
        elif self._has_body:  # the end of the connection is the end of the body
            self._left = sys.maxsize
            self._will_close = True

    def _write(self, body: bytes, *, is_last: bool) -> None:
        """Write a part of the body, and the headers before the first one."""
        parts = [self._head]
        self._head = b""
        if body and self._has_body:
            if self._is_chunked:
                parts += (b"%x\r\n" % len(body), body, b"\r\n")
            else:
                body = body[: self._left]  # more would be read as the next response
                self._left -= len(body)
                parts.append(body)
            self.sent += len(body)
        if is_last and self._is_chunked:
            parts.append(b"0\r\n\r\n")
        self.is_complete = is_last
        if len(body) < _LARGE:
            self._transport.write(b"".join(parts))
        else:
            self._transport.writelines(parts)


@lru_cache(maxsize=1000)
def _status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} {status_title(status)}\r\n".encode()


@lru_cache(maxsize=4)
def _general(second: int, has_server: bool, has_date: bool) -> bytes:  # noqa: FBT001 -- the key of a cache
    """Return the lines of `Server` and `Date`, if the application has not sent its own."""
    server = b"" if has_server else b"Server: gunicorn/asgi\r\n"
    return server + (b"" if has_date else b"Date: %b\r\n" % formatdate(second, usegmt=True).encode())


class InOwnContext:
    """Runs a coroutine in the present task, but with its own context variables: a task for that costs far more.

    `result` is what it has returned.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, bool]) -> None:
        self._coroutine = coroutine
        self._run = copy_context().run
        self._has_started = False
        self._waited_for: Any = None
        self.result: bool | None = None

    def start(self) -> bool:
        """Run the coroutine until it waits for something. Return whether it has returned instead."""
        self._has_started = True
        self._step(self._coroutine.send, None)
        return self.result is not None

    def __await__(self) -> Generator[Any, Any, bool]:
        """Pass on what the coroutine waits for, and the results."""
        if not self._has_started:
            self.start()
        while self.result is None:
            try:
                step, value = self._coroutine.send, (yield self._waited_for)
            except BaseException as error:  # noqa: BLE001 -- such as a cancellation: for the coroutine
                step, value = self._coroutine.throw, error
            self._step(step, value)
            del value  # an error refers to this frame, and would stay in memory if this one referred to it
        return self.result

    def _step(self, step: Callable[[Any], Any], value: Any) -> None:
        try:
            self._waited_for = self._run(step, value)
        except StopIteration as end:
            self._waited_for = None
            self.result = bool(end.value)

"""Exchanges: how responses are framed, what is refused, and what is logged, for whatever the application sends."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from logging import getLogger
from types import SimpleNamespace
from typing import Any

import pytest

from app import security_headers
from app.exchange import Exchange, InOwnContext
from app.log_formats import Served
from contract.responses.response import WHOLE_RESPONSE

Message = dict[str, Any]
Application = Callable[[Message, Any, Any], Awaitable[None]]
START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
SERVER = b"Server: gunicorn/asgi\r\n"


class _Connection:
    """What an exchange uses of its connection, its request, its body and its transport."""

    def __init__(self, method: str = "GET", version: tuple[int, int] = (1, 1)) -> None:
        self.transport: Any = self
        self.method, self.uri, self.version = method, "/a", version
        self.written = b""
        self.served: list[Served] = []
        logger = getLogger("tests")
        self.log = SimpleNamespace(
            access_log_enabled=True, requests=self, error=logger.error, exception=logger.exception
        )
        self.expect_continue = True
        self.write_paused = False
        self.is_gone = self.must_close = False
        self.app: Application = _silent
        self.exchange = Exchange(self, self, self, self)

    def serve(self, app: Application) -> bool:
        """Serve a request with this application. Return whether the connection can be used again."""
        self.app = app
        return asyncio.run(self.exchange.serve({}))

    def write(self, data: bytes) -> None:
        """Write as a transport."""
        self.written += data

    def writelines(self, parts: list[bytes]) -> None:
        """Write as a transport."""
        self.written += b"".join(parts)

    def is_closing(self) -> bool:
        """Whether the client is gone."""
        return self.is_gone

    def will_close(self, _request: Any) -> bool:
        """Whether the connection ends after the response."""
        return self.must_close

    def client(self, _request: Any) -> str:
        """Return the client's IP."""
        return "127.0.0.1"

    def put(self, request: Served) -> None:
        """Log a request."""
        self.served.append(request)

    def respond_with_error(self, status: int) -> None:
        """Respond in place of the application."""
        self.written += b"%d\r\n" % status
        self.exchange.fail(status, 3)

    async def receive(self) -> Message:
        """Return the end of the body."""
        return {"type": "http.request", "body": b"", "more_body": False}


async def _silent(_scope: Message, _receive: Any, _send: Any) -> None:
    """Respond with nothing."""


def _sending(*messages: Message) -> Application:
    async def app(_scope: Message, _receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return app


def _start(status: int = 200, *headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def _body(body: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


LENGTH = (b"content-length", b"3")


@pytest.mark.parametrize(
    ("method", "version", "messages", "framing", "body", "stays_open"),
    [
        ("GET", (1, 1), [_start(200, LENGTH), _body(b"abc")], b"Content-Length: 3", b"abc", True),
        ("GET", (1, 1), [_start(200, LENGTH), _body(b"a", more=True), _body(b"bc")], b"Content-Length: 3", b"abc",
         True),
        ("GET", (1, 1), [_start(200, LENGTH), _body(b"abcd")], b"Content-Length: 3", b"abc", True),
        ("GET", (1, 1), [_start(200, LENGTH), _body(b"ab")], b"Content-Length: 3", b"ab", False),
        ("HEAD", (1, 1), [_start(200, LENGTH), _body(b"abc")], b"Content-Length: 3", b"", True),
        ("GET", (1, 1), [_start(304, LENGTH), _body(b"")], b"Content-Length: 3", b"", True),
        ("GET", (1, 1), [_start(204, LENGTH), _body(b"abc")], b"", b"", True),
        ("GET", (1, 1), [_start(200), _body(b"abc")], b"Transfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n", True),
        ("GET", (1, 1), [_start(200, (b"transfer-encoding", b"gzip")), _body()], b"Transfer-Encoding: chunked",
         b"0\r\n\r\n", True),
        ("HEAD", (1, 1), [_start(200), _body(b"abc")], b"", b"", True),
        ("GET", (1, 0), [_start(200), _body(b"abc")], b"", b"abc", False),
        ("GET", (1, 1), [_start(200), _body(b"x" * 70000)], b"Transfer-Encoding: chunked",
         b"11170\r\n" + b"x" * 70000 + b"\r\n0\r\n\r\n", True),
    ],
)  # fmt: skip
def test_a_body_is_framed(
    method: str,
    version: tuple[int, int],
    messages: list[Message],
    framing: bytes,
    body: bytes,
    stays_open: bool,  # noqa: FBT001 -- a case
) -> None:
    """By its length or in chunks, as RFC 9112 §6.3 has it, whatever the application says beside its length."""
    connection = _Connection(method, version)
    assert connection.serve(_sending(*messages)) is stays_open
    head, _, rest = connection.written.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert [line for line in lines if line.startswith((b"Content-Length", b"Transfer-Encoding"))] == [framing] * bool(
        framing
    )
    assert (b"Connection: close" in lines) is (version == (1, 0))
    assert rest == body
    assert connection.served[0][5] == messages[0]["status"]
    assert not connection.expect_continue


def test_a_response_has_server_and_date() -> None:
    """Unless the application has sent them."""
    connection = _Connection()
    connection.must_close = True
    assert not connection.serve(_sending(_start(200, LENGTH, (b"date", b"now"), (b"x-a", b"b")), _body(b"abc")))
    expected = (
        b"HTTP/1.1 200 OK\r\nx-a: b\r\nContent-Length: 3\r\ndate: now\r\n"
        + SERVER
        + b"Connection: close\r\n"
        + security_headers.lines([])
        + b"\r\nabc"
    )
    assert connection.written == expected
    other = _Connection()
    other.serve(_sending(_start(404, LENGTH), _body(b"abc")))
    assert other.written.startswith(b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n" + SERVER + b"Date: ")
    assert b" GMT\r\n" + security_headers.lines([]) + b"\r\nabc" in other.written


@pytest.mark.parametrize(
    "header", [(b"a", b"b\r\nc: d"), (b"a", b"b\nc"), (b"a", b"\0"), (b"a b", b"c"), (b"", b"c"), (b"a\r\nb", b"c")]
)
def test_an_invalid_header_is_not_sent(header: tuple[bytes, bytes]) -> None:
    """It could be a header or a response more; the client gets a 500."""
    connection = _Connection()
    assert not connection.serve(_sending(_start(200, header, LENGTH), _body(b"abc")))
    assert (connection.written, connection.served[0][5:7]) == (b"500\r\n", (500, 3))


@pytest.mark.parametrize(
    ("messages", "status"),
    [
        ([], 500),
        ([_body()], 500),
        ([{"type": "http.response.trailers"}], 500),
        ([_start(200, LENGTH)], 200),
        ([_start(200, LENGTH), _start(200, LENGTH)], 200),
        ([_start(200, LENGTH), _body(b"a", more=True)], 200),
        ([_start(200, LENGTH), _body(b"abc"), _body(b"")], 200),
    ],
)
def test_an_application_that_breaks_asgi_ends_the_connection(messages: list[Message], status: int) -> None:
    """If it has not responded, the client gets a 500."""
    connection = _Connection()
    assert not connection.serve(_sending(*messages))
    assert connection.served[0][5] == status
    assert (connection.written == b"500\r\n") is (status == 500)


def test_a_client_that_goes_away_is_logged_as_such() -> None:
    """Nothing is written, and the application is not told."""
    connection = _Connection()
    connection.is_gone = True
    assert not connection.serve(_sending(_start(200, LENGTH), _body(b"abc")))
    assert (connection.written, connection.served[0][3:7]) == (b"", ("GET", "/a", 499, 0))


def test_a_cancelled_request_ends_the_connection() -> None:
    """Gunicorn cancels what is still running a while after the client has gone."""

    async def app(_scope: Message, _receive: Any, _send: Any) -> None:
        connection.is_gone = True
        raise asyncio.CancelledError

    connection = _Connection()
    assert not connection.serve(app)
    assert connection.served[0][5] == 499


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [200, 204, 304, 404])
def test_a_whole_response_is_the_same_as_its_messages(method: str, status: int) -> None:
    """The engine gives its responses at once."""
    length = [] if status in (204, 304) else [(b"content-length", b"3")]
    headers = [(b"etag", b'"1"'), *length]
    body = b"abc" if length else b""

    async def whole(scope: Message, _receive: Any, _send: Any) -> None:
        scope["extensions"][WHOLE_RESPONSE](status, list(headers), body)

    at_once, in_messages = _Connection(method), _Connection(method)
    assert at_once.serve(whole)
    assert in_messages.serve(_sending(_start(status, *headers), _body(body)))
    assert _without_date(at_once.written) == _without_date(in_messages.written)
    assert at_once.served[0][5:7] == in_messages.served[0][5:7]


def _without_date(written: bytes) -> list[bytes]:
    return [line for line in written.split(b"\r\n") if not line.startswith(b"Date: ")]


def test_a_second_response_is_refused() -> None:
    """The client gets the first one."""

    async def twice(scope: Message, _receive: Any, _send: Any) -> None:
        for status in (200, 201):
            scope["extensions"][WHOLE_RESPONSE](status, [(b"content-length", b"0")], b"")

    connection = _Connection()
    assert not connection.serve(twice)
    assert connection.written.startswith(b"HTTP/1.1 200 ")
    assert b"201" not in connection.written


def test_a_whole_response_for_nobody_is_not_written() -> None:
    """The client is gone."""

    async def app(scope: Message, _receive: Any, _send: Any) -> None:
        connection.is_gone = True
        scope["extensions"][WHOLE_RESPONSE](200, [(b"content-length", b"0")], b"")

    connection = _Connection()
    assert not connection.serve(app)
    assert connection.written == b""


_variable: ContextVar[str] = ContextVar("_variable", default="outside")


async def _run(event: asyncio.Event, seen: list[str]) -> bool:
    seen.append(_variable.get())
    _variable.set("inside")
    try:
        await event.wait()
    except asyncio.CancelledError:
        seen.append("cancelled")
        raise
    seen.append(_variable.get())
    return True


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_coroutine_has_context_variables_of_its_own(is_cancelled: bool) -> None:  # noqa: FBT001 -- a case
    """It can wait and be cancelled as usual; nothing that it sets is visible outside."""
    seen: list[str] = []

    async def main() -> None:
        event = asyncio.Event()

        async def outer() -> bool:
            try:
                return await InOwnContext(_run(event, seen))
            finally:
                seen.append(_variable.get())

        task = asyncio.create_task(outer())
        await asyncio.sleep(0)
        if is_cancelled:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            event.set()
            assert await task

    asyncio.run(main())
    assert seen == ["outside", "cancelled" if is_cancelled else "inside", "outside"]

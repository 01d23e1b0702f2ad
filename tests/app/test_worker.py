"""The worker: its responses to invalid HTTP, and how it stops."""

import asyncio
import json
import os
from logging import getLogger
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.errors import ConfigError

from app import drain
from app.problem_pages import problem_types
from app.security_headers import HEADERS
from app.serving import _endpoint
from app.worker import Protocol, Worker
from tests.app.serving import fake_worker, listening, no_content
from tests.support import MADE_REQUEST_ID


class _Recording(Protocol):
    """A protocol without a connection, which records what it would send."""

    def __init__(self) -> None:
        self.written = b""
        self._closed = True
        self._body_receiver = None
        self._current_request = None
        self._forwarded_trust = None

    def _safe_write(self, data: bytes) -> None:
        self.written += data


def _response(status: int, message: str, **extra: str) -> tuple[str, dict[str, str], Any]:
    protocol = _Recording()
    protocol._send_error_response(status, message, list(extra.items()))
    head, _, body = protocol.written.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), json.loads(body)


@pytest.mark.parametrize(
    ("status", "message", "title", "detail"),
    [
        (400, "Invalid header", "Bad Request", "The request is not valid HTTP: Invalid header."),
        (400, " Invalid header. ", "Bad Request", "The request is not valid HTTP: Invalid header."),
        (400, "", "Bad Request", "The request is not valid HTTP: Bad Request."),
        (414, "x", "URI Too Long", "The URL is longer than this service accepts. Shorten it."),
        (
            431,
            "x",
            "Request Header Fields Too Large",
            "The headers are larger than this service accepts. Send fewer or shorter headers.",
        ),
        (501, "Unsupported transfer coding", "Not Implemented", "Unsupported transfer coding."),
        (505, "", "HTTP Version Not Supported", "HTTP Version Not Supported."),
    ],
)
def test_an_error_of_the_server_is_a_problem(status: int, message: str, title: str, detail: str) -> None:
    """The response is complete, has a request id, and closes the connection."""
    first, headers, body = _response(status, message)
    assert first == f"HTTP/1.1 {status} {title}"
    assert body == {"type": problem_types()[status], "title": title, "status": status, "detail": detail}
    assert MADE_REQUEST_ID.fullmatch(headers.pop("X-Request-Id"))
    length = headers.pop("Content-Length")
    assert int(length) == len(json.dumps(body, separators=(",", ":"))) + 1
    assert headers == {
        "Content-Type": "application/problem+json",
        "Cache-Control": "no-store",
        "Connection": "close",
        **HEADERS,
    }


def test_headers_of_the_server_are_kept() -> None:
    """The headers that Gunicorn adds to its errors are sent."""
    _, headers, _ = _response(400, "x", **{"Retry-After": "1"})
    assert headers["Retry-After"] == "1"


def test_the_worker_is_gunicorns_asgi_worker() -> None:
    """It inherits everything else, such as `graceful_timeout`."""
    assert Worker.__mro__[1].__module__ == "gunicorn.workers.gasgi"


@pytest.mark.parametrize(
    ("name", "hook"),
    [
        ("pre_request", lambda _worker, _request: None),
        ("post_request", lambda _worker, _request, _environ, _response: None),
    ],
)
def test_a_hook_that_would_not_run_is_refused(name: str, hook: Any) -> None:
    """The message names the supported way."""
    config = Config()
    config.set(name, hook)
    with pytest.raises(ConfigError, match=f"{name} has no effect: pass around="):
        Worker.check_config(config, getLogger("tests"))


def test_the_usual_configuration_is_accepted() -> None:
    """It has neither hook."""
    Worker.check_config(Config(), getLogger("tests"))


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        (("127.0.0.1", 1), ("127.0.0.1", 1)),
        (("::1", 1, 0, 0), ("::1", 1)),
        ("/run/a.sock", ("/run/a.sock", None)),
        ("", None),
        (None, None),
    ],
)
def test_an_endpoint_is_as_asgi_has_it(name: Any, endpoint: Any) -> None:
    """Host and port for TCP, the path of a Unix socket."""
    assert _endpoint(name) == endpoint


def _worker() -> SimpleNamespace:
    return fake_worker(no_content)


@pytest.mark.parametrize("read", [False, True], ids=["before it is read", "after it was read"])
def test_a_request_that_has_arrived_is_served_when_the_worker_stops(read: bool) -> None:  # noqa: FBT001 -- a case
    """The connection was idle until then. An idle connection is closed."""
    asyncio.run(_stop_when_a_request_arrives(read=read))


async def _stop_when_a_request_arrives(*, read: bool) -> None:
    worker = _worker()
    server = await worker.loop.create_server(lambda: Protocol(worker), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    writer.write(request)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204 ")
    (protocol,) = worker.protocols
    while not protocol._awaiting_request:  # noqa: ASYNC110
        await asyncio.sleep(0)
    if read:
        worker.loop.call_soon(protocol.data_received, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
        await asyncio.sleep(0)
    else:
        os.write(writer.get_extra_info("socket").fileno(), request)
    protocol.close_if_idle(1)
    if read:
        worker.loop.call_soon(protocol.data_received, b"x")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204 ")
    while not protocol._awaiting_request:  # noqa: ASYNC110
        await asyncio.sleep(0)
    protocol.close_if_idle(1)
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    server.close()


def test_a_worker_announces_the_end_of_connections_before_it_closes_them() -> None:
    """It serves for a moment after SIGTERM: a client that uses a connection just then gets its response."""
    asyncio.run(_use_a_connection_after_sigterm())


def test_an_idle_connection_can_be_used_once_more_while_the_worker_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """The response announces its end. One that nobody uses is closed a moment later, and a new one after that."""
    monkeypatch.setattr(drain, "_GRACE_SECONDS", ((0.3, 1), (0.3, 0)))
    asyncio.run(_use_a_connection_while_the_worker_stops())


async def _use_a_connection_while_the_worker_stops() -> None:
    worker = _worker()
    request, ended = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", []
    async with listening(worker) as connect:
        used, idle, new = [await connect() for _ in range(3)]
        for reader, writer in (used, idle):
            writer.write(request)
            assert b"Connection: close" not in await reader.readuntil(b"\r\n\r\n")
        worker.stopping, worker.stops_at_once = True, False
        closing = asyncio.create_task(drain.close_idle(worker))
        await asyncio.sleep(0)
        used[1].write(request)
        assert b"Connection: close" in await used[0].readuntil(b"\r\n\r\n")
        for name, (reader, _) in (("used", used), ("idle", idle), ("new", new)):
            assert await reader.read() == b""
            ended.append(name)
        await closing
    assert ended == ["used", "idle", "new"]


def test_a_signal_to_stop_wakes_the_worker() -> None:
    """Gunicorn looks once a second whether it has to end."""
    worker = Worker.__new__(Worker)
    worker.log = SimpleNamespace(requests=SimpleNamespace(flush=lambda: None))
    worker.tmp = SimpleNamespace(notify=lambda: None)
    worker.alive, worker.stopping, worker._main_loop = True, False, None

    async def main_loop() -> None:
        worker.loop = asyncio.get_running_loop()
        worker.notify()
        worker.handle_exit_signal()
        worker.handle_exit_signal()  # the main process repeats it
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(60)
        worker._stop()  # it is not woken again

    asyncio.run(main_loop())
    assert not worker.alive


async def _use_a_connection_after_sigterm() -> None:
    fake = _worker()
    worker = Worker.__new__(Worker)
    worker.loop, worker.alive, worker.stopping, worker._main_loop = fake.loop, True, False, None
    server = await fake.loop.create_server(lambda: Protocol(fake), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    writer.write(request)
    assert b"Connection: close" not in await reader.readuntil(b"\r\n\r\n")
    worker.handle_exit_signal()
    fake.stopping = worker.stopping
    assert (worker.stopping, worker.alive) == (True, True)
    writer.write(request)
    assert b"Connection: close" in await reader.readuntil(b"\r\n\r\n")
    assert await reader.read() == b""
    while worker.alive:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    writer.close()
    await writer.wait_closed()
    server.close()


async def _refuse(_scope: Any, _receive: Any, send: Any) -> None:
    """Respond with 413 before the body is read."""
    await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


def test_a_response_before_the_end_of_the_body_ends_the_connection() -> None:
    """It says so, and what the client still sends is read: a reset could overtake the response."""

    async def run() -> tuple[bytes, bytes]:
        async with listening(fake_worker(_refuse)) as connect:
            reader, writer = await connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 1000)
            head = await reader.readuntil(b"\r\n\r\n")
            for _ in range(100):
                writer.write(b"x" * 20_000)
                await writer.drain()  # raises if the connection was reset
            writer.write_eof()
            return head, await reader.read()

    head, body = asyncio.run(run())
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nConnection: close\r\n" in head
    assert body == b"{}"

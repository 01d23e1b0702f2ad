"""The worker's protocol on a real socket, without Gunicorn's processes: what clients get for exact bytes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from logging import getLogger
from types import SimpleNamespace
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.config import Config

from app.hosts import Hosts
from app.limits import Limits
from app.worker import Protocol

Application = Callable[[Any, Any, Any], Awaitable[None]]


_receive: ContextVar[Any] = ContextVar("receive")


async def no_content(_scope: Any, receive: Any, send: Any) -> None:
    """Respond with 204, and set a context variable as Connexion does; it must not be there from another request."""
    assert _receive.get(None) is None
    _receive.set(receive)
    await asyncio.sleep(0)
    assert _receive.get() == receive
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Respond with what the application gets of a request, when the whole body has arrived."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    hosts = [value.decode() for name, value in scope["headers"] if name == b"host"]
    got = {key: scope[key] for key in ("method", "scheme", "path")} | {"host": hosts, "body": body.decode()}
    got |= {key: scope[key].decode() for key in ("raw_path", "query_string")}
    content = json.dumps(got).encode()
    headers = [(b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def fake_worker(application: Application, **changed: Any) -> SimpleNamespace:
    """Return what a protocol uses of its worker."""
    log = getLogger("tests")
    log.collects_requests = False  # type: ignore[attr-defined]  # the service's loggers have it
    config = Config()
    config.set("limit_request_fields", 64)
    config.set("asgi_disconnect_grace_period", 0)  # or a timer keeps each for 3 seconds
    ASGIProtocol._check_h1c_protocol_available()  # on a subclass, it would have no effect
    loop = asyncio.get_running_loop()
    worker = {
        "cfg": config,
        "log": log,
        "asgi": application,
        "loop": loop,
        "nr_conns": 0,
        "nr": 0,
        "state": {},
        "max_requests": 2**63,
        "alive": True,
        "stopping": False,
        "protocols": set(),
        "limits": Limits(loop, 75, 0, ()),
        "hosts": Hosts(()),
    }
    return SimpleNamespace(**worker | changed)


@asynccontextmanager
async def listening(
    worker: SimpleNamespace, protocol: Callable[[Any], Protocol] = Protocol
) -> AsyncIterator[Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]]:
    """Serve; the value connects to it."""
    server = await worker.loop.create_server(lambda: protocol(worker), "127.0.0.1", 0)
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writers.append(writer)
        return reader, writer

    try:
        yield connect
    finally:
        for writer in writers:
            writer.close()
        server.close()
        while worker.nr_conns:  # noqa: ASYNC110 -- Gunicorn has no event for it
            await asyncio.sleep(0)


async def exchange(
    pieces: Sequence[bytes], *, half_close: bool = False, application: Application = echo, **changed: Any
) -> bytes:
    """Send the pieces, each when the service has read the one before; return all that comes until the end."""
    worker = fake_worker(application, **changed)
    async with listening(worker) as connect:
        reader, writer = await connect()
        while not worker.protocols:  # noqa: ASYNC110 -- the service accepts in its own time
            await asyncio.sleep(0)
        (protocol,) = worker.protocols
        for piece in pieces:
            worker.loop.call_soon(protocol.data_received, piece)  # outside of this task, as an event loop does
            await asyncio.sleep(0)
        if half_close:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 10)


def responses(raw: bytes) -> list[tuple[int, Any]]:
    """Return status and document of each response."""
    found = []
    while raw:
        head, _, rest = raw.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        found.append((int(head[9:12]), json.loads(rest[:length])))
        raw = rest[length:]
    return found

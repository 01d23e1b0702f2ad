"""Memory: nothing of a connection or a request is left for the garbage collector, however it ends."""

import asyncio
import gc
import weakref
from contextlib import suppress
from typing import Any

import pytest

from app.exchange import InOwnContext
from app.worker import Protocol
from tests.app.serving import fake_worker, no_content


class _Tracked(Protocol):
    """A protocol that records when it is garbage-collected."""

    made: list[weakref.ref[Protocol]]

    def __init__(self, worker: Any) -> None:
        super().__init__(worker)
        self.made.append(weakref.ref(self))


async def _connect_and_leave(sent: list[bytes], times: int) -> None:
    """Open these connections, send this on each, with a response for each part, and close them as the client.

    An empty part closes the sending side alone.
    """
    worker = fake_worker(no_content)
    server = await worker.loop.create_server(lambda: _Tracked(worker), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for _ in range(times):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for part in sent:
            if not part:
                writer.write_eof()
                continue
            writer.write(part)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 ")
        writer.close()
        await writer.wait_closed()
    while worker.nr_conns or any(task is not asyncio.current_task() for task in asyncio.all_tasks()):  # noqa: ASYNC110
        await asyncio.sleep(0)
    server.close()
    assert worker.protocols == set()


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
ENDS = {
    "two requests": [GET, GET],
    "a half-closed connection": [GET, b""],
    "Connection: close": [b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"],
    "half a body": [b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"],
    "no HTTP": [b"\xff\n\r\n\r\n"],
    "a line without an end": [b"GET / HTTP/1.1\r\nHost: x\r\nX: " + bytes(20_000)],
    "a head that is too large": [b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000],
}


@pytest.mark.parametrize("sent", ENDS.values(), ids=list(ENDS))
def test_nothing_of_a_connection_stays_in_memory(sent: list[bytes]) -> None:
    """Neither parser, nor a request, an exception or a context variable keeps it until the next garbage collection.

    No context variable of one request is visible in the next.
    """
    _Tracked.made = []
    gc.collect()
    gc.disable()
    try:
        asyncio.run(_connect_and_leave(sent, 3))
        assert [reference() for reference in _Tracked.made] == [None] * 3
    finally:
        gc.enable()


class _Failure(Exception):  # noqa: N818 -- it may be a cancellation
    """What a request waited for has failed."""


async def _wait_for_a_failure() -> weakref.ref[_Failure]:
    """Serve a request that handles a failure of what it waits for. No frame of this test refers to the failure."""
    waits_for = [asyncio.get_running_loop().create_future()]

    async def serve() -> bool:
        with suppress(_Failure):
            await waits_for.pop()
        return True

    running = InOwnContext(serve())
    running.start()
    running._waited_for.set_exception(failure := _Failure())
    reference = weakref.ref(failure)
    del failure
    assert await running
    return reference


def test_an_error_that_a_request_has_handled_leaves_memory() -> None:
    """At once."""
    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(_wait_for_a_failure())() is None
    finally:
        gc.enable()

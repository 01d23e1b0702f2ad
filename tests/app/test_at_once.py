"""Requests that need not wait are served as soon as they are read; all others by the task of their connection."""

import asyncio
from contextvars import ContextVar
from typing import Any

from tests.app.serving import exchange, fake_worker, listening, responses

_GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
_LAST = b"GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
_variable: ContextVar[str] = ContextVar("_variable", default="outside")


async def _respond(send: Any, text: str) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text.encode()})


def test_a_request_is_served_while_it_is_read() -> None:
    """The response is there when the connection has read the request; the task has not run."""

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await _respond(send, "{}")

    async def run() -> tuple[int, int]:
        worker = fake_worker(application)
        async with listening(worker) as connect:
            _, writer = await connect()
            while not worker.protocols or not next(iter(worker.protocols))._awaiting_request:  # noqa: ASYNC110
                await asyncio.sleep(0)
            (protocol,) = worker.protocols
            served = worker.loop.create_future()

            def receive() -> None:
                protocol.data_received(_GET)
                served.set_result((worker.nr, protocol.req_count))

            worker.loop.call_soon(receive)
            result: tuple[int, int] = await served
            writer.close()
            return result

    assert asyncio.run(run()) == (1, 2)


def test_a_request_that_waits_is_continued_in_its_own_context() -> None:
    """It is in the same task all the time, and sees its own variables."""
    tasks: set[Any] = set()

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        before = _variable.get()
        _variable.set("inside")
        for _ in range(3):
            tasks.add(asyncio.current_task())
            await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await asyncio.sleep(0.001)
        await _respond(send, f'"{before} {_variable.get()}"')

    found = responses(asyncio.run(exchange([_GET, _LAST], application=application)))
    assert found == [(200, "outside inside"), (200, "outside inside")]
    assert len(tasks) == 1


def test_requests_that_arrive_together_are_served_in_order() -> None:
    """Also the parts of one that arrive later."""
    sent = _GET * 3 + _LAST
    for size in (len(sent), 50, 7, 1):
        pieces = [sent[start : start + size] for start in range(0, len(sent), size)]
        found = responses(asyncio.run(exchange(pieces)))
        assert [document["path"] for _, document in found] == ["/a", "/a", "/a", "/b"]


def test_a_refused_request_is_not_served() -> None:
    """Its head was read, but it has no host."""
    served: list[str] = []

    async def application(scope: Any, _receive: Any, send: Any) -> None:
        served.append(scope["path"])
        await _respond(send, "{}")

    found = responses(asyncio.run(exchange([b"GET /a HTTP/1.1\r\nA: b\r\n\r\n"], application=application)))
    assert [status for status, _ in found] == [400]
    assert served == []


def test_an_exception_is_a_500() -> None:
    """The connection ends after it."""

    async def application(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ValueError("a fault")

    found = responses(asyncio.run(exchange([_GET, _LAST], application=application)))
    assert [status for status, _ in found] == [500]

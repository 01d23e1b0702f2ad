"""How long and how often a client may occupy a worker."""

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import Any

import pytest

from app.limits import BODY, CLOSING, HEAD, IDLE, SENDING, SERVING, Limits
from tests.app.serving import echo, fake_worker, listening, responses

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"


class _Clock:
    """The event loop's clock, as far as `Limits` needs it."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 -- the protocol has no event for it
        await asyncio.sleep(0)


async def _slowly(steps: Sequence[tuple[float, bytes]], phase: str, application: Any = echo) -> bytes:
    """Send bytes at these times. Return all responses, and check what the connection does before the last time."""
    clock = _Clock()
    limits = Limits(clock, 75, 0, ())
    worker = fake_worker(application, limits=limits)
    async with listening(worker) as connect:
        reader, _ = await connect()
        await _until(lambda: bool(worker.protocols))
        (protocol,) = worker.protocols
        for when, data in steps:
            while clock.now < when:
                clock.now += 1
                if clock.now == when:
                    assert protocol.phase()[0] == phase
                limits.watch(worker.protocols)
            if data:
                worker.loop.call_soon(protocol.data_received, data)
            for _ in range(10):
                await asyncio.sleep(0)
        assert protocol._closed
        return await asyncio.wait_for(reader.read(), 10)


def _trickle(data: bytes, seconds: int) -> list[tuple[float, bytes]]:
    return [(0, data), *((second, b"x") for second in range(1, seconds))]


@pytest.mark.parametrize(
    ("steps", "phase", "statuses"),
    [
        ([(0, b""), (16, b"")], HEAD, []),
        ([*_trickle(b"GET / HTTP/1.1\r\nX-A: ", 16), (16, b"")], HEAD, [408]),
        ([(0, POST), (61, b"")], BODY, [408]),
        ([*_trickle(POST.replace(b"9", b"999"), 61), (61, b"")], BODY, [408]),
        ([(0, GET), (76, b"")], IDLE, [200]),
    ],
    ids=["no request", "slow head", "no body", "slow body", "idle"],
)
def test_a_connection_that_takes_too_long_is_closed(
    steps: Sequence[tuple[float, bytes]], phase: str, statuses: list[int]
) -> None:
    """No byte extends the time. A request that has begun gets a 408, and a connection without one nothing."""
    found = responses(asyncio.run(_slowly(steps, phase)))
    assert [status for status, _ in found] == statuses
    if 408 in statuses:
        assert found[-1][1]["detail"] == "The request did not arrive in time. Send it again."


def test_each_request_of_a_connection_has_its_own_time() -> None:
    """The time in between does not count, nor that of another request."""
    steps = [(0, GET), (70, GET), (140, GET), (210, GET), (286, b"")]
    assert [status for status, _ in responses(asyncio.run(_slowly(steps, IDLE)))] == [200] * 4


def test_a_body_that_stays_silent_is_a_408() -> None:
    """Gunicorn stops to wait for it after its `timeout`, and would send a 500."""

    async def exchange() -> bytes:
        worker = fake_worker(echo)
        worker.cfg.set("timeout", 1)
        async with listening(worker) as connect:
            reader, writer = await connect()
            writer.write(POST + b"x")
            return await asyncio.wait_for(reader.read(), 10)

    ((status, problem),) = responses(asyncio.run(exchange()))
    assert status == problem["status"] == 408


class _Connection:
    """A connection that does one thing, and has so much to send."""

    def __init__(self, phase: str) -> None:
        self.name = phase
        self.unsent = 0
        self.expired = False

    def phase(self) -> tuple[str, int, int]:
        return self.name, 1, self.unsent

    def expire(self, phase: str) -> None:
        assert phase == self.name
        self.expired = True


@pytest.mark.parametrize(("phase", "seconds"), [(SENDING, 30), (CLOSING, 10)])
def test_a_client_that_does_not_read_is_aborted(phase: str, seconds: int) -> None:
    """As long as it reads, it has time."""
    clock, connection = _Clock(), _Connection(phase)
    limits = Limits(clock, 75, 0, ())
    for connection.unsent in range(100, 0, -1):
        clock.now += 1
        limits.watch([connection])
    clock.now += seconds - 1
    limits.watch([connection])
    assert not connection.expired
    clock.now += 1
    limits.watch([connection])
    assert connection.expired


def test_the_application_has_time() -> None:
    """Whatever it works on."""
    clock, connection = _Clock(), _Connection(SERVING)
    limits = Limits(clock, 75, 0, ())
    for _ in range(1000):
        limits.watch([connection])
        clock.now += 1
    assert not connection.expired


@pytest.mark.parametrize(
    ("peer", "neighbour"),
    [
        (("192.0.2.1", 1), ("192.0.2.2", 1)),
        (("2001:db8::1", 1, 0, 0), ("2001:db8:0:1::1", 1, 0, 0)),
        (("::ffff:192.0.2.1", 1, 0, 0), ("::ffff:192.0.2.2", 1, 0, 0)),
        (("fe80::1%eth0", 1, 0, 2), ("2001:db8::1", 1, 0, 0)),
    ],
)
def test_an_ip_address_has_a_number_of_connections(peer: Any, neighbour: Any) -> None:
    """And no more; when one is closed, it may open another. Another one has its own."""
    limits = Limits(_Clock(), 75, 2, [ip_network("192.0.2.128/25")])
    assert [limits.admit(peer) for _ in range(3)] == [True, True, False]
    assert limits.admit(neighbour)
    for _ in range(2):
        limits.forget(None, peer)
    assert [limits.admit(peer) for _ in range(2)] == [True, False]


def test_an_ipv6_network_is_one_client() -> None:
    """The 64 bits that a provider assigns to it."""
    limits = Limits(_Clock(), 75, 1, ())
    assert limits.admit(("2001:db8::1", 1, 0, 0))
    assert not limits.admit(("2001:db8::ffff", 1, 0, 0))


@pytest.mark.parametrize("peer", [("192.0.2.1", 1), "", None])
def test_trusted_proxies_and_unix_sockets_have_any_number(peer: Any) -> None:
    """All clients share them. So does everybody, if there is no limit."""
    limits = Limits(_Clock(), 75, 1, [ip_network("192.0.2.0/24")])
    assert all(limits.admit(peer) for _ in range(10))
    assert all(Limits(_Clock(), 75, 0, ()).admit(("198.51.100.1", 1)) for _ in range(10))


def test_one_connection_too_many_is_a_429() -> None:
    """It is closed, and does not count any more."""

    async def exchange() -> tuple[bytes, bool]:
        limits = Limits(_Clock(), 75, 1, ())
        worker = fake_worker(echo, limits=limits)
        async with listening(worker) as connect:
            await connect()
            second, _ = await connect()
            refused = await asyncio.wait_for(second.read(), 10)
            await _until(lambda: len(worker.protocols) == 1)
            return refused, limits.admit(("127.0.0.1", 1))

    raw, admits_another = asyncio.run(exchange())
    ((status, problem),) = responses(raw)
    assert (status, problem["title"]) == (429, "Too Many Requests")
    assert b"Retry-After: 1\r\n" in raw
    assert not admits_another

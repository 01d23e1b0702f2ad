"""How long and how often a client may occupy a worker."""

import asyncio
import resource
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import Any

import pytest

from app.limits import BODY, CLOSING, HEAD, IDLE, SENDING, SERVING, Limits, most_connections
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
        self.has_unread = False

    def phase(self) -> tuple[str, int, int]:
        return self.name, 1, self.unsent

    def expire(self, phase: str) -> None:
        assert phase == self.name
        self.expired = True

    def give_way(self, phase: str) -> bool:
        if not self.has_unread:
            self.expire(phase)
        return not self.has_unread


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
    assert [limits.admit(None, peer) for _ in range(3)] == [None, None, 429]
    assert limits.admit(None, neighbour) is None
    for _ in range(2):
        limits.forget(None, peer)
    assert [limits.admit(None, peer) for _ in range(2)] == [None, 429]


def test_an_ipv6_network_is_one_client() -> None:
    """The 64 bits that a provider assigns to it."""
    limits = Limits(_Clock(), 75, 1, ())
    assert limits.admit(None, ("2001:db8::1", 1, 0, 0)) is None
    assert limits.admit(None, ("2001:db8::ffff", 1, 0, 0)) == 429


@pytest.mark.parametrize("peer", [("192.0.2.1", 1), "", None])
def test_trusted_proxies_and_unix_sockets_have_any_number(peer: Any) -> None:
    """All clients share them. So does everybody, if there is no limit."""
    limits = Limits(_Clock(), 75, 1, [ip_network("192.0.2.0/24")])
    assert not any(limits.admit(None, peer) for _ in range(10))
    assert not any(Limits(_Clock(), 75, 0, ()).admit(None, ("198.51.100.1", 1)) for _ in range(10))


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
            return refused, limits.admit(None, ("127.0.0.1", 1)) is None

    raw, admits_another = asyncio.run(exchange())
    ((status, problem),) = responses(raw)
    assert (status, problem["title"]) == (429, "Too Many Requests")
    assert b"Retry-After: 1\r\n" in raw
    assert not admits_another


def _full(*connections: _Connection) -> tuple[Limits, _Clock]:
    """A worker with as many connections as it can have. Each of them was opened a second after the one before."""
    clock = _Clock()
    limits = Limits(clock, 75, 0, (), most=len(connections))
    for number, connection in enumerate(connections, 1):
        assert limits.admit(connection, None) is None
        clock.now += 1
        limits.watch(connections[:number])
    return limits, clock


@pytest.mark.parametrize("phase", [HEAD, IDLE, BODY, SENDING, CLOSING])
def test_the_connection_that_has_waited_longest_makes_room(phase: str) -> None:
    """Whatever it waits for, unless the application works on its request."""
    connections = [_Connection(SERVING), _Connection(phase), _Connection(phase)]
    limits, _ = _full(*connections)
    assert limits.admit(_Connection(HEAD), None) is None
    assert [connection.expired for connection in connections] == [False, True, False]
    assert limits.admit(_Connection(HEAD), None) is None
    assert [connection.expired for connection in connections] == [False, True, True]


def test_a_connection_that_is_used_does_not_make_room() -> None:
    """Neither if its request has arrived and was not read, nor if it does something else than a second ago."""
    arrived, used, idle = _Connection(IDLE), _Connection(IDLE), _Connection(IDLE)
    limits, _ = _full(arrived, used, idle)
    arrived.has_unread = True
    used.name = HEAD
    assert limits.admit(_Connection(HEAD), None) is None
    assert [connection.expired for connection in (arrived, used, idle)] == [False, False, True]


def test_many_make_room_at_once() -> None:
    """Looking at all of them for each new connection would take longer than serving it."""
    connections = [_Connection(BODY) for _ in range(40)]
    limits, _ = _full(*connections)
    new = [_Connection(HEAD) for _ in range(3)]
    assert [limits.admit(connection, None) for connection in new] == [None] * 3
    assert [connection.expired for connection in connections] == [True] * 3 + [False] * 37
    assert not any(connection.expired for connection in new)


def test_a_worker_whose_requests_all_run_refuses_new_connections() -> None:
    """With a 503, until one of them has ended."""
    connections = [_Connection(SERVING) for _ in range(3)]
    limits, _ = _full(*connections)
    refused = _Connection(HEAD)
    assert limits.admit(refused, None) == 503
    limits.forget(refused, None)
    assert not any(connection.expired for connection in connections)
    limits.forget(connections[0], None)
    assert limits.admit(_Connection(HEAD), None) is None


def test_the_open_files_of_a_process_limit_its_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some are left for the database and for connections that are being closed."""
    for soft, expected in ((resource.RLIM_INFINITY, 10_000), (65_536, 10_000), (1_024, 720), (16, 1)):
        monkeypatch.setattr(resource, "getrlimit", lambda _which, soft=soft: (soft, soft))
        assert most_connections(10_000) == expected


def test_a_connection_makes_room_for_another() -> None:
    """The body that was on its way is a 408, the idle one is closed, and the new ones are served."""

    async def exchange() -> list[bytes]:
        worker = fake_worker(echo, limits=Limits(asyncio.get_running_loop(), 75, 0, (), most=2))
        ended = []
        async with listening(worker) as connect:
            slow, writer = await connect()
            writer.write(POST)
            await _until(lambda: any(one.phase()[0] == BODY for one in worker.protocols))
            idle, writer = await connect()
            writer.write(GET)
            await _until(lambda: {one.phase()[0] for one in worker.protocols} == {BODY, IDLE})
            worker.limits.watch(worker.protocols)
            for old in (slow, idle):
                new, writer = await connect()
                writer.write(GET.replace(b"Host", b"Connection: close\r\nHost"))
                assert responses(await asyncio.wait_for(new.read(), 10))[0][0] == 200
                await connect()
                ended.append(await asyncio.wait_for(old.read(), 10))
        return ended

    slow, idle = asyncio.run(exchange())
    assert [status for status, _ in responses(slow)] == [408]
    assert [status for status, _ in responses(idle)] == [200]

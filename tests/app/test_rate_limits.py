"""Rate limits: who is one client, what the workers share, and what a client sees."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from gunicorn.config import Config

from app import metrics, rate_limits, shared_counts
from app.rate_limits import RateLimits, network
from contract import Principal, RateLimit
from contract.serving.request import Request
from tests.app.serving import exchange
from tests.support import ContractClient

SMALL = RateLimit("default", 3, 60)
LARGE = RateLimit("default", 50_000, 60)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time in milliseconds, to set."""
    time = [1_000_000]
    for module in (shared_counts, rate_limits):
        monkeypatch.setattr(module, "now", lambda: time[0])
    return time


def request(client: Any = ("192.0.2.1", 5), user: str | None = None) -> Any:
    """A request of a client."""
    return SimpleNamespace(scope={"client": client}, user=user)


def left(limits: RateLimits, request: Request, limit: RateLimit = SMALL) -> int | None:
    """What a client has left after a request."""
    user = request.user  # type: ignore[attr-defined]  # a stand-in
    with patch.object(rate_limits, "principal", lambda: user and Principal(user, frozenset())):
        count = limits.count(limit, request)
    return None if count is None else count[0]


def test_a_client_has_so_many_requests_in_a_window(clock: list[int]) -> None:
    """-1 means one too many; they do not make the window longer."""
    limits = RateLimits()
    assert [left(limits, request()) for _ in range(5)] == [2, 1, 0, -1, -1]
    clock[0] += 59_999
    assert limits.count(SMALL, request()) == (-1, 1)
    clock[0] += 1
    assert limits.count(SMALL, request()) == (2, 60_000)


def test_a_window_is_never_longer_than_it_is(clock: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if it begins a millisecond after the request."""
    monkeypatch.setattr(shared_counts, "now", lambda: clock[0] + 1)
    assert RateLimits().count(SMALL, request()) == (2, 60_000)


def test_every_limit_and_every_client_has_a_count_of_its_own() -> None:
    """A client is a key or token, wherever it comes from, or else an IP address."""
    limits = RateLimits()
    assert left(limits, request(user="ada")) == 2
    assert left(limits, request(("192.0.2.2", 5), user="ada")) == 1
    assert left(limits, request(user="192.0.2.1")) == 2
    assert left(limits, request()) == 2
    assert left(limits, request(("192.0.2.1", 6))) == 1
    assert left(limits, request(), RateLimit("list_items", 3, 60)) == 2


@pytest.mark.parametrize("client", [None, ("/run/web/1.sock", None)])
def test_a_client_on_a_unix_socket_has_no_limit(client: Any) -> None:
    """Unless a proxy says which IP address it has."""
    limits = RateLimits()
    assert {left(limits, request(client)) for _ in range(5)} == {None}


@pytest.mark.parametrize(
    ("ip", "one"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:DB8:1:2::", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("unknown", "unknown"),
    ],
)
def test_an_ipv6_network_is_one_client(ip: str, one: str) -> None:
    """Its first 64 bits: a client has all of it for itself."""
    assert network(ip) == one


def test_workers_share_a_limit() -> None:
    """Exactly, if it is small."""
    workers = [RateLimits()]
    workers.append(_worker_of(workers[0]))
    assert [left(workers[number % 2], request()) for number in range(5)] == [2, 1, 0, -1, -1]


def test_a_worker_takes_a_large_limit_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it seldom needs the lock. All get what there is, and no more."""
    workers = [RateLimits()]
    workers.append(_worker_of(workers[0]))
    taken = 0

    def take(self: Any, *arguments: int) -> Any:
        nonlocal taken
        taken += 1
        return original(self, *arguments)

    original = shared_counts.SharedCounts.take
    monkeypatch.setattr(shared_counts.SharedCounts, "take", take)
    counts = [left(workers[number % 3 % 2], request(), LARGE) for number in range(60_000)]
    assert sum(count is not None and count >= 0 for count in counts) == 50_000
    assert taken == 10_001  # every part of five, and the worker that did not get the last one


def test_what_a_worker_knows_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It forgets what is its own, and nothing that is shared."""
    monkeypatch.setattr(rate_limits, "_MAX_KNOWN", 3)
    limits = RateLimits()
    for number in range(20):
        left(limits, request((f"192.0.2.{number}", 5)))
    assert len(limits._own) <= 3
    assert left(limits, request(("192.0.2.0", 5))) == 1


def test_the_service_counts(client: ContractClient) -> None:
    """Its contract limits all operations but the health checks."""
    response = client.get("/items")
    assert response.headers["RateLimit"] == '"default";r=999999;t=60'
    assert response.headers["RateLimit-Policy"] == '"default";q=1000000;w=60'
    assert client.get("/items/7").headers["RateLimit"] == '"default";r=999998;t=60'
    assert client.get("/items/x").headers["RateLimit"] == '"default";r=999997;t=60'
    assert "RateLimit" not in client.get("/healthz").headers


@pytest.mark.parametrize(
    ("trusted", "headers", "client"),
    [
        ("127.0.0.1", b"X-Forwarded-For: 192.0.2.1\r\n", ["192.0.2.1", 0]),
        ("127.0.0.1", b"X-Forwarded-For: 192.0.2.9, 192.0.2.1\r\n", ["192.0.2.1", 0]),
        ("127.0.0.1", b"X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-For: 192.0.2.1\r\n", ["192.0.2.1", 0]),
        ("127.0.0.1", b"X-Forwarded-For: " + b"1" * 101 + b"\r\n", None),
        ("127.0.0.1", b"X-Forwarded-For: \r\n", None),
        ("127.0.0.1", b"", None),
        ("192.0.2.0/24", b"X-Forwarded-For: 192.0.2.1\r\n", None),
    ],
)
def test_only_a_trusted_proxy_says_where_a_client_is(trusted: str, headers: bytes, client: Any) -> None:
    """In the last element of the last line; what is before that can be the client's own words."""
    found: list[Any] = []

    async def application(scope: Any, _receive: Any, send: Any) -> None:
        found.append(scope["client"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def run() -> None:
        config = Config()
        config.set("forwarded_allow_ips", trusted)
        raw = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + headers + b"\r\n"
        await exchange([raw], application=application, cfg=config)

    asyncio.run(run())
    if client is None:
        assert found[0][0] == "127.0.0.1"
    else:
        assert list(found[0]) == client


def test_refused_requests_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the limit, whether or not the worker knows already that nothing is left. No others are."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr(metrics, "count", lambda *labels: found.append(labels))
    workers = [RateLimits()]
    workers.append(_worker_of(workers[0]))
    for _ in range(3):
        left(workers[0], request())
    assert found == []
    for worker in (*workers, *workers):
        left(worker, request())
    assert found == [("rate_limit_refusals_total", "default")] * 4


def test_instances_can_share_a_file(tmp_path: Path) -> None:
    """On one machine."""
    file = tmp_path / "limits"
    assert left(RateLimits(file), request()) == 2
    assert left(RateLimits(file), request()) == 1


def _worker_of(limits: RateLimits) -> RateLimits:
    """Limits as another worker has them: it shares the counts, and knows nothing yet."""
    other = object.__new__(RateLimits)
    other._shared, other._own = limits._shared, {}
    return other

"""The cache of reads in nginx (`READ_CACHE_SECONDS`): what it keeps, for how long, and what passes it by."""

import gzip
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.stack import Edit, Running, ask, edge, post, wait_until
from tests.e2e.test_edge import GZIP, IMPATIENT, MADE_ID, SECURITY, scripted

LONG, SHORT = 1000, 1
JSON = b"Content-Type: application/json\r\nCache-Control: no-store\r\n"
TAGGED = b'Content-Type: application/json\r\nCache-Control: no-cache\r\nETag: "1"\r\n'


def cached(seconds: int) -> list[Edit]:
    """Return the change of nginx/ that containers/nginx.sh makes."""
    return [("local/cache.conf", "", f"proxy_cache_valid 200 {seconds}s;\ninclude cache/reads.conf;\n")]


def response(body: bytes = b"[]", headers: bytes = JSON, status: bytes = b"200 OK") -> bytes:
    """Return a response of the service."""
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, headers, len(body), body)


def numbered(headers: bytes = JSON) -> Callable[[bytes, int], bytes]:
    """Return a service whose responses differ: each has its number as the body."""
    numbers = iter(range(1, 1000))
    return lambda *_: response(b"%d" % next(numbers), headers)


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Running]:
    """Nginx with a cache that stays valid, in front of a service that counts its responses; each has an ETag."""
    with scripted(numbered(TAGGED)) as upstream, edge(tmp_path / "edge", upstream.port, cached(LONG)) as running:
        yield running


def test_it_is_off_by_default(tmp_path: Path) -> None:
    """Every read goes to the service."""
    with scripted(numbered()) as upstream, edge(tmp_path / "edge", upstream.port) as nginx:
        assert [ask(nginx.port, "GET", "/items").body for _ in range(3)] == [b"1", b"2", b"3"]


@pytest.mark.parametrize("path", ["/items", "/items?limit=7&sort=-id", "/items/1"])
def test_a_read_comes_from_the_cache(nginx: Running, path: str) -> None:
    """The whole response is the same, but for the request id."""
    first, second = ask(nginx.port, "GET", path), ask(nginx.port, "GET", path)
    assert (second.status, second.body) == (first.status, first.body) == (200, b"1")
    varying = ("Date", "X-Request-Id")
    kept, got = ([pair for pair in one.headers if pair[0] not in varying] for one in (first, second))
    assert got == kept
    expected = {"Content-Type": "application/json", "ETag": '"1"', "Cache-Control": "no-cache", **SECURITY}
    assert {name: second.all(name) for name in expected} == {name: [text] for name, text in expected.items()}


def test_a_request_id_is_never_replayed(nginx: Running) -> None:
    """It belongs to the request. The log has it, and no server of the service."""
    given = ask(nginx.port, "GET", "/items", headers={"X-Request-Id": "first"})
    made = ask(nginx.port, "GET", "/items")
    again = ask(nginx.port, "GET", "/items", headers={"X-Request-Id": "again"})
    assert (given.all("X-Request-Id"), again.all("X-Request-Id")) == (["first"], ["again"])
    assert MADE_ID.match(made["X-Request-Id"])
    line = nginx.line("again")
    assert (line["status"], line["upstream"], line["upstream_status"]) == (200, "", "")


@pytest.mark.parametrize("seconds", [LONG, SHORT])
def test_what_a_client_has_left_is_never_replayed(tmp_path: Path, seconds: int) -> None:
    """It belongs to the client whose request the service has counted. The limit itself is the same for all."""
    numbers = iter(range(9, 0, -1))

    def respond(_request: bytes, _number: int) -> bytes:
        return response(
            b"[]", JSON + b'RateLimit: "default";r=%d;t=1\r\nRateLimit-Policy: "default";q=9;w=1\r\n' % next(numbers)
        )

    with scripted(respond) as upstream, edge(tmp_path / "edge", upstream.port, cached(seconds)) as nginx:
        first = ask(nginx.port, "GET", "/items")
        second = ask(nginx.port, "GET", "/items")
        if seconds == SHORT:
            wait_until(
                lambda: ask(nginx.port, "GET", "/items").all("RateLimit") == ['"default";r=8;t=1'], "another request"
            )
    assert first["RateLimit"] == '"default";r=9;t=1'
    assert second.all("RateLimit") == [] or seconds == SHORT
    assert first["RateLimit-Policy"] == second["RateLimit-Policy"] == '"default";q=9;w=1'


def test_head_and_get_share_the_cache(nginx: Running) -> None:
    """Nginx sends GET to the service for both."""
    head, get, again = (ask(nginx.port, method, "/items/1") for method in ("HEAD", "GET", "HEAD"))
    assert (head.body, get.body, again.body) == (b"", b"1", b"")
    assert head["Content-Length"] == get["Content-Length"] == again["Content-Length"]


@pytest.mark.parametrize(
    ("tags", "status"),
    [('"1"', 304), ('W/"1"', 304), ("*", 304), ('"7", W/"1"', 304), ('"7"', 200), ('W/"7"', 200)],
)
def test_nginx_evaluates_if_none_match(nginx: Running, tags: str, status: int) -> None:
    """With the ETag of what it has; weak tags match (RFC 9110 §13.1.2)."""
    for _ in range(2):  # not in the cache, and in it
        got = ask(nginx.port, "GET", "/items/1", headers={"If-None-Match": tags})
        assert (got.status, got.body) == (status, b"" if status == 304 else b"1")
        assert (got["ETag"], got["Cache-Control"]) == ('"1"', "no-cache")


PASSED_BY = [
    ("GET", "/items", {"Authorization": "Bearer x"}, None),
    ("GET", "/items", {"X-API-Key": "x"}, None),
    ("GET", "/items", {"Cookie": "a=b"}, None),
    ("GET", "/items/1", {"If-Match": '"1"'}, None),
    ("GET", "/items/1", {"If-Unmodified-Since": "Mon, 23 Nov 2026 10:29:08 GMT"}, None),
    ("GET", "/items/1", {"If-None-Match": "1"}, None),
    ("GET", "/items", {}, b"{}"),
    ("OPTIONS", "/items", {}, None),
    ("POST", "/items", {}, b"{}"),
    ("PATCH", "/items/1", {}, b"{}"),
    *(("GET", path, {}, None) for path in ("/healthz", "/readyz", "/", "/openapi.json", "/items/", "/items/1/x")),
]


@pytest.mark.parametrize(("method", "path", "headers", "body"), PASSED_BY)
def test_other_requests_pass_it_by(
    tmp_path: Path, method: str, path: str, headers: dict[str, str], body: bytes | None
) -> None:
    """They go to the service with all their headers, and what it responds is not kept for others."""
    with scripted(numbered(TAGGED)) as upstream, edge(tmp_path / "edge", upstream.port, cached(LONG)) as nginx:
        assert [ask(nginx.port, method, path, body, headers).body for _ in range(2)] == [b"1", b"2"]
        assert ask(nginx.port, "GET", "/items?other").body == b"3"
    for name, value in headers.items():
        assert f"\r\n{name}: {value}\r\n".encode() in upstream.requests[0]


@pytest.mark.parametrize(
    "kept_out",
    [
        response(status=b"404 Not Found"),
        response(status=b"400 Bad Request"),
        response(status=b"503 Service Unavailable"),
        response(headers=JSON.replace(b"no-store", b"private")),
        response(headers=JSON.replace(b"no-store", b"max-age=60")),
        response(headers=JSON + b"Set-Cookie: a=b\r\n"),
        response(headers=JSON + b"Vary: *\r\n"),
        response(b"x" * 40_000),
    ],
    ids=["404", "400", "503", "private", "max-age", "Set-Cookie", "Vary", "large"],
)
def test_other_responses_are_not_kept(tmp_path: Path, kept_out: bytes) -> None:
    """Errors, responses with a Cache-Control of their own, and large ones."""
    with scripted(lambda *_: kept_out) as upstream, edge(tmp_path / "edge", upstream.port, cached(LONG)) as nginx:
        bodies = [ask(nginx.port, "GET", "/items").body for _ in range(2)]
    assert bodies == [kept_out.partition(b"\r\n\r\n")[2]] * 2
    assert len(upstream.requests) == 2


def test_urls_hosts_and_media_types_are_kept_apart(nginx: Running) -> None:
    """The response can depend on all of them."""
    kinds = [("/items", {}), ("/items?", {}), ("/items", {"Accept": "text/html"}), ("/items", {"Host": "other"})]
    for _ in range(2):
        assert [ask(nginx.port, "GET", path, headers=headers).body for path, headers in kinds] == [
            b"1",
            b"2",
            b"3",
            b"4",
        ]


def test_prefixes_are_kept_apart(tmp_path: Path) -> None:
    """`Link` begins with the prefix that a trusted proxy has removed."""
    trusted = [("local/proxies.conf", "#192.0.2.1     1;", "127.0.0.1 1;"), *cached(LONG)]
    with scripted(numbered()) as upstream, edge(tmp_path / "edge", upstream.port, trusted) as nginx:
        sent: list[dict[str, str]] = [{"X-Forwarded-Prefix": "/a"}, {"X-Forwarded-Prefix": "/b"}, {}]
        for _ in range(2):
            assert [ask(nginx.port, "GET", "/items", headers=headers).body for headers in sent] == [b"1", b"2", b"3"]


def test_range_is_ignored(nginx: Running) -> None:
    """As the service does."""
    for _ in range(2):
        got = ask(nginx.port, "GET", "/items", headers={"Range": "bytes=0-0"})
        assert (got.status, got.body, got.all("Accept-Ranges")) == (200, b"1", [])


def test_compression_is_decided_for_each_client(tmp_path: Path) -> None:
    """What is kept is not compressed."""
    page = json.dumps([{"name": "Desk lamp"}] * 100).encode()
    with scripted(lambda *_: response(page)) as upstream, edge(tmp_path / "edge", upstream.port, cached(LONG)) as nginx:
        for _ in range(2):
            plain, packed = (ask(nginx.port, "GET", "/items", headers=headers) for headers in ({}, GZIP))
            assert (plain.body, gzip.decompress(packed.body)) == (page, page)
    assert len(upstream.requests) == 1


def test_an_old_response_is_revalidated(tmp_path: Path) -> None:
    """Nginx sends If-None-Match, and a 304 makes the response valid for another time."""

    def respond(request: bytes, _number: int) -> bytes:
        unchanged = b'\r\nIf-None-Match: "1"\r\n' in request
        return b"HTTP/1.1 304 Not Modified\r\n" + TAGGED + b"\r\n" if unchanged else response(b"kept", TAGGED)

    with scripted(respond) as upstream, edge(tmp_path / "edge", upstream.port, cached(SHORT)) as nginx:

        def asked() -> bool:
            got = ask(nginx.port, "GET", "/items/1")
            assert (got.status, got.body, got["ETag"], got["Cache-Control"]) == (200, b"kept", '"1"', "no-cache")
            return len(upstream.requests) == 3

        wait_until(asked, "two revalidations")
    assert [b"If-None-Match" in request for request in upstream.requests] == [False, True, True]


def test_nothing_older_is_sent_while_the_service_is_down(tmp_path: Path) -> None:
    """502, not the last known state: how old it is would have no limit."""
    with scripted(numbered()) as upstream, edge(tmp_path / "edge", upstream.port, cached(SHORT) + IMPATIENT) as nginx:
        assert ask(nginx.port, "GET", "/items").status == 200
        upstream.respond = lambda *_: None
        wait_until(lambda: ask(nginx.port, "GET", "/items").status == 502, "the end of the second")
        assert ask(nginx.port, "GET", "/items").status == 502


def test_clients_that_come_at_the_same_time_share_one_request(tmp_path: Path) -> None:
    """The first one goes to the service, the others wait for its response."""
    asked, may_respond = threading.Event(), threading.Event()

    def slow(*_: object) -> bytes:
        asked.set()
        may_respond.wait(30)
        return response()

    patient = ("cache/reads.conf", "proxy_cache_lock_timeout 10ms;", "proxy_cache_lock_timeout 30s;")
    with (
        scripted(slow) as upstream,
        edge(tmp_path / "edge", upstream.port, [*cached(LONG), patient]) as nginx,
        ThreadPoolExecutor(8) as pool,
    ):
        pending = [pool.submit(ask, nginx.port, "GET", "/items") for _ in range(8)]
        assert asked.wait(30)
        may_respond.set()
        assert [future.result(30).body for future in pending] == [b"[]"] * 8
    assert len(upstream.requests) == 1


def test_its_size_has_a_limit(tmp_path: Path) -> None:
    """5,000 URLs with the largest responses that are kept need less than 100 MB, and no request fails."""
    largest = response(b"x" * 39_999)
    with scripted(lambda *_: largest) as upstream, edge(tmp_path / "edge", upstream.port, cached(LONG)) as nginx:
        connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=30)
        for number in range(5_000):
            connection.request("GET", f"/items?name={number}")
            assert len(connection.getresponse().read()) == 39_999
        files = list((tmp_path / "edge" / "nginx-cache").iterdir())
        assert sum(path.stat().st_blocks * 512 for path in files) < 100e6
        assert len(files) > 1_000
        assert "[crit]" not in nginx.err.read_text()
        assert "[alert]" not in nginx.err.read_text()


def test_a_client_sees_its_own_write_after_the_time(tmp_path: Path, app: Running) -> None:
    """With the real service. The item's ETag and If-Match stay right: an old ETag is a 412."""
    with edge(tmp_path / "edge", app.port, cached(SHORT)) as nginx:
        path = post(nginx.port, {"name": "Old"})["Location"]
        old = ask(nginx.port, "GET", path)
        change = {"Content-Type": "application/json", "If-Match": old["ETag"]}
        changed = ask(nginx.port, "PUT", path, b'{"name": "New"}', change)
        assert (changed.status, changed.json()["name"]) == (200, "New")
        wait_until(lambda: ask(nginx.port, "GET", path).json()["name"] == "New", "the new name")
        new = ask(nginx.port, "GET", path)
        assert new["ETag"] == changed["ETag"]
        assert ask(nginx.port, "GET", path, headers={"If-None-Match": old["ETag"]}).status == 200
        assert ask(nginx.port, "PUT", path, b'{"name": "Newer"}', change).status == 412
        assert ask(nginx.port, "GET", path, headers={"If-Match": old["ETag"]}).status == 412
        assert ask(nginx.port, "GET", "/items?limit=0").status == 400

"""What is valid HTTP, and which of it is served: whichever parser reads a request, and however it arrives."""

import asyncio
from typing import Any

import pytest
from gunicorn.config import Config

from app.hosts import Hosts
from app.http_guard import MAX_HEAD
from tests.app.serving import echo, exchange, responses

GET = b"GET /items?x=1 HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /items HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSE = b"Connection: close\r\n\r\n"


def _served(*pieces: bytes, half_close: bool = False, **changed: Any) -> list[tuple[int, Any]]:
    return responses(asyncio.run(exchange(pieces, half_close=half_close, **changed)))


@pytest.mark.parametrize(
    ("request_bytes", "status", "detail"),
    [
        (GET + b"X-A: a\r\n b\r\n\r\n", 400, "Missing colon"),
        (GET + b"X-A: a\r\n\tTransfer-Encoding: chunked\r\n\r\n", 400, "Transfer-Encoding"),
        (GET + b"X-A: a\nX-B: b\r\n\r\n", 400, "Bare LF"),
        (GET + b"X-A: a\n\r\n", 400, "Bare LF"),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "The only Transfer-Encoding"),
        (
            POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            501,
            "The only Transfer",
        ),
        (CHUNKED + b"5;a\nb\r\nhello\r\n0\r\n\r\n", 400, "Bare LF"),
        (CHUNKED + b"5;a=\x01\r\nhello\r\n0\r\n\r\n", 400, "chunk extension"),
        (CHUNKED + b"5\r\nhello\r\n0\r\nHost: other\r\n\r\n", 400, "host"),
        (b"GET /items HTTP/1.1\r\nAccept: */*\r\n\r\n", 400, "Host is missing"),
        (GET + b"Host: localhost\r\n\r\n", 400, "Duplicate Host"),
        (b"GET /items HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Invalid Host"),
        (b"GET /items HTTP/1.1\r\nHost: user@x\r\n\r\n", 400, "Invalid Host"),
        (b"GET ftp://localhost/items HTTP/1.1\r\nHost: x\r\n\r\n", 400, "request target"),
        (b"GET http://user@localhost/items HTTP/1.1\r\nHost: x\r\n\r\n", 400, "request target"),
        (b"GET http:///items HTTP/1.1\r\nHost: x\r\n\r\n", 400, "request target"),
    ],
)
def test_a_request_that_is_not_valid_is_refused(request_bytes: bytes, status: int, detail: str) -> None:
    """The connection ends, and nothing behind the request is served."""
    ((got, problem),) = _served(request_bytes + GET + CLOSE)
    assert got == problem["status"] == status
    assert detail in problem["detail"]


@pytest.mark.parametrize("length", ["18446744073709551629", "0" * 19 + "5", "9" * 4000])
def test_a_long_content_length_is_a_number_all_the_same(length: str) -> None:
    """It is not calculated with 64 bits, where 2^64 + 13 is 13, and the rest would be another request."""
    body = b"x" * (5 if length.startswith("0") else 13)
    request = POST + f"Content-Length: {length}\r\n\r\n".encode() + body + GET + CLOSE
    statuses = [status for status, _ in _served(request, half_close=True)]
    assert statuses in ([[200, 200]] if length.startswith("0") else [[], [400]])


def test_a_long_chunk_size_is_a_number_all_the_same() -> None:
    """2^64 + 5 is not 5."""
    assert _served(CHUNKED + b"10000000000000005\r\nhello\r\n0\r\n\r\n" + GET + CLOSE, half_close=True) == []


@pytest.mark.parametrize(
    ("request_bytes", "pieces", "status"),
    [
        (b"GET /", 10, 414),
        (GET, 10, 431),
        (GET + b"X-A: a\r\n" * 70, 1, 431),
        (CHUNKED, 10, 400),
        (CHUNKED + b"0\r\n", 10, 431),
    ],
    ids=["request line", "header", "headers", "chunk size", "trailer"],
)
def test_a_line_without_an_end_is_refused(request_bytes: bytes, pieces: int, status: int) -> None:
    """Before much of it is stored."""
    ((got, _),) = _served(request_bytes, *[b"a" * 1000] * pieces)
    assert got == status


@pytest.mark.parametrize(
    ("request_bytes", "body"),
    [
        (GET + CLOSE, ""),
        (POST + b"Content-Length: 5\r\n" + CLOSE + b"hello", "hello"),
        (POST + b"Transfer-Encoding: Chunked\r\n" + CLOSE + b"2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n", "hello"),
    ],
    ids=["GET", "length", "chunked"],
)
def test_the_pieces_of_a_request_do_not_matter(request_bytes: bytes, body: str) -> None:
    """Wherever it is cut in two, and byte by byte."""
    whole = _served(request_bytes)
    assert [(status, got["body"]) for status, got in whole] == [(200, body)]
    for cut in range(1, len(request_bytes)):
        assert _served(request_bytes[:cut], request_bytes[cut:]) == whole
    assert _served(*[bytes([byte]) for byte in request_bytes]) == whole


def test_requests_of_all_kinds_follow_each_other_on_a_connection() -> None:
    """In one piece, and cut within each of them."""
    chunked = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"
    requests = GET + b"\r\n" + chunked + POST + b"Content-Length: 5\r\n\r\nhello" + chunked + GET + CLOSE
    expected = [(200, body) for body in ("", "hello", "hello", "hello", "")]
    for cut in range(0, len(requests), 7):
        assert [(s, got["body"]) for s, got in _served(requests[:cut], requests[cut:])] == expected, cut


@pytest.mark.parametrize(
    ("target", "host", "path", "query"),
    [
        ("http://example.com/items?x=1", "example.com", "/items", "x=1"),
        ("HTTPS://example.com:8443/%69tems", "example.com:8443", "/%69tems", ""),
        ("http://example.com", "example.com", "/", ""),
        ("http://[::1]:80?a", "[::1]:80", "/", "a"),
    ],
)
def test_a_target_in_absolute_form_is_served(target: str, host: str, path: str, query: str) -> None:
    """RFC 9112 §3.2.2: its host counts, and not the header."""
    ((status, got),) = _served(f"GET {target} HTTP/1.1\r\nHost: other\r\n".encode() + CLOSE)
    assert (status, got["host"], got["raw_path"], got["query_string"]) == (200, [host], path, query)
    assert got["path"] == path.replace("%69", "i")


def test_http_1_0_needs_no_host() -> None:
    """RFC 9112 §3.2."""
    ((status, got),) = _served(b"GET / HTTP/1.0\r\n\r\n", hosts=Hosts(("example.com",)))
    assert (status, got["host"]) == (200, [])


@pytest.mark.parametrize("host", ["evil.example", "example.com.evil.example", "notexample.com", "sub.example.com", ""])
def test_other_hosts_are_misdirected(host: str) -> None:
    """A page that lets its name resolve to this service gets nothing."""
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    ((status, problem),) = _served(request + GET + CLOSE, hosts=Hosts(("example.com", ".example.org")))
    assert status == problem["status"] == 421


@pytest.mark.parametrize(
    "host",
    ["example.com", "EXAMPLE.com:8000", "example.com.", "example.org", "a.b.example.org", "localhost:8000", "127.0.0.1",
     "[::1]:8000"],
)  # fmt: skip
def test_allowed_hosts_are_served(host: str) -> None:
    """With any port; and so are IP addresses and localhost, which health checks use."""
    hosts = Hosts(("example.com", ".example.org"))
    for _ in range(2):  # the second time, it is remembered
        ((status, _),) = _served(f"GET / HTTP/1.1\r\nHost: {host}\r\n".encode() + CLOSE, hosts=hosts)
        assert status == 200


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ((), "http"),
        (("X-Forwarded-Proto: https",), "https"),
        (("X-Forwarded-Proto: http",), "http"),
        (("X-Forwarded-Proto: ftp",), "http"),
        (("X-Forwarded-Ssl: on",), "https"),
        (("X-Forwarded-Proto: https", "X-Forwarded-Ssl: on"), "https"),
        (("X_Forwarded_Proto: https",), "http"),
        (("X-Forwarded-Proto: https", "X-Forwarded-Proto: http"), None),
        (("X-Forwarded-Proto: http", "X-Forwarded-Ssl: on"), None),
    ],
)
def test_a_trusted_proxy_tells_https_from_http(headers: tuple[str, ...], scheme: str | None) -> None:
    """Whichever parser reads it. What proxies contradict each other about is refused; what others say is ignored."""
    request = GET + "".join(f"{line}\r\n" for line in headers).encode() + CLOSE
    for pieces in ([request], [request[:10], request[10:]]):
        ((status, got),) = _served(*pieces)
        assert (status, got.get("scheme")) == ((200, scheme) if scheme else (400, None))
    config = Config()
    config.set("forwarded_allow_ips", "192.0.2.1")
    ((status, got),) = _served(request, cfg=config)
    assert (status, got["scheme"]) == (200, "http")


def test_a_client_may_close_its_sending_side_after_a_request() -> None:
    """RFC 9112 §9.6: it gets its response, and those to all requests that it has sent."""
    request = POST + b"Content-Length: 5\r\n\r\nhello"
    assert [status for status, _ in _served(request, half_close=True, application=_slow_echo)] == [200]
    assert [status for status, _ in _served(request * 3, half_close=True, application=_slow_echo)] == [200] * 3


async def _slow_echo(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(0.01)
    await echo(scope, receive, send)


@pytest.mark.parametrize(
    "request_bytes", [b"", GET, POST + b"Content-Length: 6\r\n\r\nhello", CHUNKED + b"5\r\nhello\r\n0\r\n"]
)
def test_an_incomplete_request_is_dropped_when_its_client_closes(request_bytes: bytes) -> None:
    """RFC 9112 §8."""
    assert _served(request_bytes, half_close=True) == []


def _large_head(size: int) -> bytes:
    """A GET whose head, with its end, has so many bytes in lines of 8,000, within every other limit."""
    names = [f"X-{number:04d}: " for number in range(60)]
    lines, left = [], size - len(GET) - len(CLOSE)
    while left:
        length = min(left, 8000) if not 0 < left - 8000 < 20 else 4000
        lines.append(names.pop() + "a" * (length - 10) + "\r\n")
        left -= length
    return GET + "".join(lines).encode() + CLOSE


@pytest.mark.parametrize("pieces", [1, 7, 2000])
@pytest.mark.parametrize("over", [0, 1])
def test_a_head_has_a_limit_of_its_own(over: int, pieces: int) -> None:
    """However it arrives, and whatever follows it: 431, and the rest is discarded."""
    sent = _large_head(MAX_HEAD + over)
    assert len(sent) == MAX_HEAD + over
    length = -(-len(sent) // pieces)
    ((status, _),) = _served(*(sent[at : at + length] for at in range(0, len(sent), length)))
    assert status == (431 if over else 200)


def test_a_body_does_not_count_as_head() -> None:
    """Nor does the next request, where the head ended in the same piece."""
    start, rest = POST[:-10], POST[-10:] + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000
    (one, two) = _served(start, rest + GET + CLOSE)
    assert (one[0], len(one[1]["body"]), two[0]) == (200, 100_000, 200)


def test_a_url_without_end_is_414() -> None:
    """Whether its beginning arrives at once or in pieces."""
    url = b"GET /" + b"a" * (MAX_HEAD + 1)
    assert [status for status, _ in _served(url, half_close=True)] == [414]
    assert [status for status, _ in _served(url[:9000], url[9000:], half_close=True)] == [414]


def test_what_follows_a_large_head_is_discarded() -> None:
    """A megabyte more is read, not parsed."""
    ((status, problem),) = _served(_large_head(MAX_HEAD + 1)[:-4], *[b"a" * 100_000] * 10, GET + CLOSE, half_close=True)
    assert (status, problem["title"]) == (431, "Request Header Fields Too Large")

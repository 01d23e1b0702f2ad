"""Requests over HTTP/1.1 that try to mean different things to two servers, as exact bytes.

The tests send an ordinary request, the probe, behind each on the same connection. A server that refuses a trick closes
the connection, so the probe has no response.
"""

from dataclasses import dataclass

REFUSED = (400,)
UNKNOWN_CODING = (501,)
SERVED = (200, 200)
INVALID = (400, 200)
"""The service refuses the content; the framing is clear, so the probe is served."""
NOTHING = (404, 200)
STOLEN = b"GET /stolen HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""A request in the body of another, which no server may take for a request."""


@dataclass(frozen=True)
class Trick:
    """A request, the statuses of nginx and of Gunicorn, and why it is harmless if it is not refused."""

    name: str
    request: bytes
    nginx: tuple[int, ...] = REFUSED
    gunicorn: tuple[int, ...] = REFUSED
    why: str = ""

    def __str__(self) -> str:
        return self.name


def post(*fields: bytes, body: bytes = b"") -> bytes:
    """Return a POST with exactly these header lines."""
    return b"\r\n".join([b"POST /items HTTP/1.1", b"Host: localhost", *fields, b"", b""]) + body


def get(target: bytes, *fields: bytes, host: bytes = b"Host: localhost") -> bytes:
    """Return a GET with exactly this target and these header lines."""
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", host, *fields, b"", b""])


CHUNKED = b"Transfer-Encoding: chunked"
JSON = b"Content-Type: application/json"


def length(body: bytes) -> bytes:
    """Return the header line with the right length."""
    return b"Content-Length: %d" % len(body)


LAST = b"0\r\n\r\n"
SMUGGLED = LAST + STOLEN

FRAMING = [
    Trick("CL.TE", post(length(SMUGGLED), CHUNKED, body=SMUGGLED)),
    Trick("TE.CL", post(CHUNKED, b"Content-Length: 3", body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(STOLEN), STOLEN))),
    *(
        Trick(f"TE.TE {name}", post(length(SMUGGLED), line, body=SMUGGLED), nginx=UNKNOWN_CODING)
        for name, line in {
            "unknown coding": b"Transfer-Encoding: xchunked",
            "vertical tab": b"Transfer-Encoding: \x0bchunked",
            "quoted": b'Transfer-Encoding: "chunked"',
            "two codings": b"Transfer-Encoding: chunked, identity",
            "tab": b"Transfer-Encoding:\tchunked",
        }.items()
    ),
    *(
        Trick(f"TE.TE {name}", post(length(SMUGGLED), line, body=SMUGGLED))
        for name, line in {
            "space before the colon": b"Transfer-Encoding : chunked",
            "space before the name": b" Transfer-Encoding: chunked",
            "two lines": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            "upper case": b"TRANSFER-ENCODING: CHUNKED",
            "after a bare LF": b"X: x\nTransfer-Encoding: chunked",
            "after a bare CR": b"X: x\rTransfer-Encoding: chunked",
            "folded": b"Transfer-Encoding:\r\n chunked",
            "NUL": b"Transfer-Encoding: chunked\x00",
        }.items()
    ),
    Trick(
        "TE.TE underscore",
        post(length(SMUGGLED), b"Transfer_Encoding: chunked", body=SMUGGLED),
        *((415, 200),) * 2,
        "nginx drops the header, and for Gunicorn it is another one: the length counts",
    ),
    *(
        Trick(f"length {name}", post(line, body=b"12345" + STOLEN))
        for name, line in {
            "twice": b"Content-Length: 5\r\nContent-Length: %d" % (5 + len(STOLEN)),
            "twice the same": b"Content-Length: 5\r\nContent-Length: 5",
            "list": b"Content-Length: 5, 5",
            "plus": b"Content-Length: +5",
            "minus": b"Content-Length: -5",
            "hexadecimal": b"Content-Length: 0x5",
            "inner space": b"Content-Length: 5 5",
            "NUL": b"Content-Length: 5\x00",
            "empty": b"Content-Length:",
            "folded": b"Content-Length:\r\n 5",
            "other digits": "Content-Length: ٥".encode(),
        }.items()
    ),
    Trick(
        "length 2^64+5",
        post(b"Content-Length: 18446744073709551621", body=b"12345" + STOLEN),
        gunicorn=(415,),
        why="Gunicorn counts to 2^64+5, so all that follows is the body",
    ),
    *(
        Trick(f"chunk {name}", post(CHUNKED, body=body + STOLEN), gunicorn=(415,), why="Gunicorn counts to that size")
        for name, body in {
            "size of 2^64+5": b"10000000000000005\r\n12345\r\n0\r\n\r\n",
            "size of 2^63": b"8000000000000000\r\n",
        }.items()
    ),
    *(
        Trick(f"chunk {name}", post(CHUNKED, body=body + STOLEN))
        for name, body in {
            "size with 0x": b"0x5\r\n12345\r\n0\r\n\r\n",
            "size with plus": b"+5\r\n12345\r\n0\r\n\r\n",
            "size is empty": b"\r\n12345\r\n0\r\n\r\n",
            "without CRLF": b"5\r\n123450\r\n\r\n",
            "extension with LF": b"5;a\nb\r\n12345\r\n0\r\n\r\n",
            "extension with CR": b"5;a\rb\r\n12345\r\n0\r\n\r\n",
            "negative": b"-5\r\n12345\r\n0\r\n\r\n",
        }.items()
    ),
    Trick(
        "chunk with LF alone",
        post(CHUNKED, body=b"5\n12345\n0\n\n" + get(b"/items")),
        nginx=(415, 200, 200),
        why="nginx reads the whole body, and sends it with a length of its own; the next request is one of the client",
    ),
    Trick(
        "trailers that frame",
        post(CHUNKED, JSON, body=b"2\r\n{}\r\n0\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n"),
        nginx=INVALID,
        why="nginx drops trailers",
    ),
    Trick("GET with a body", get(b"/items", length(STOLEN)) + STOLEN, SERVED, SERVED, "both read the body"),
    Trick("HTTP/1.0 with chunks", post(CHUNKED, body=SMUGGLED).replace(b"HTTP/1.1", b"HTTP/1.0")),
    Trick(
        "Connection names the length",
        post(length(STOLEN), b"Connection: keep-alive, Content-Length", body=STOLEN),
        *((415, 200),) * 2,
        "nginx sends a Connection header of its own, and both read the body",
    ),
    Trick(
        "Expect with a body",
        post(length(STOLEN), b"Expect: 100-continue", body=STOLEN),
        (100, 415, 200),
        (415, 200),
        "both read the body, whether they have asked for it or not",
    ),
    *(
        Trick(
            f"upgrade to {name}", get(b"/items", *lines), SERVED, SERVED, "neither upgrades: nginx removes Connection"
        )
        for name, lines in {
            "h2c": (
                b"Connection: Upgrade, HTTP2-Settings",
                b"Upgrade: h2c",
                b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
            ),
            "websocket": (
                b"Connection: Upgrade",
                b"Upgrade: websocket",
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ),
        }.items()
    ),
]
HEADS = [
    Trick("bare LF", get(b"/items", b"X: a\nY: b"), nginx=SERVED, why="RFC 9112 §2.2 allows it; nginx sends CRLF"),
    Trick(
        "only LF",
        get(b"/items", b"X: a").replace(b"\r\n", b"\n"),
        nginx=SERVED,
        why="RFC 9112 §2.2 allows it; nginx sends CRLF",
    ),
    Trick("bare CR", get(b"/items", b"X: a\rY: b")),
    Trick("NUL in a value", get(b"/items", b"X: a\x00b")),
    Trick("control character in a value", get(b"/items", b"X: a\x01b"), nginx=INVALID, why="the service refuses it"),
    Trick("NUL in a name", get(b"/items", b"X\x00: a")),
    Trick("space in a name", get(b"/items", b"X Y: a")),
    Trick("no colon", get(b"/items", b"X"), nginx=SERVED, why="nginx drops the line"),
    Trick("no name", get(b"/items", b": a")),
    Trick("folded", get(b"/items", b"X: a\r\n b")),
    Trick("folded first line", get(b"/items", host=b" Host: localhost")),
    Trick("lower case method", b"get" + get(b"/items")[3:]),
    Trick(
        "two spaces",
        get(b"/items").replace(b" /", b"  /"),
        nginx=SERVED,
        gunicorn=SERVED,
        why="both read the same target",
    ),
    Trick("tab in the request line", get(b"/items").replace(b"GET ", b"GET\t")),
    Trick("space in the target", get(b"/items /stolen")),
    Trick("HTTP/0.9", b"GET /items\r\n", nginx=(), why="the response has no head, and nginx closes the connection"),
    Trick("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Trick(
        "HTTP/1.2",
        get(b"/items").replace(b"HTTP/1.1", b"HTTP/1.2"),
        nginx=SERVED,
        why="a minor version changes no framing (RFC 9110 §2.5); nginx sends 1.1",
    ),
    Trick("HTTP/01.1", get(b"/items").replace(b"HTTP/1.1", b"HTTP/01.1")),
    Trick("lower case http", get(b"/items").replace(b"HTTP/1.1", b"http/1.1")),
]
HOSTS = [
    Trick("two hosts", get(b"/items", b"Host: other")),
    Trick("the same host twice", get(b"/items", b"Host: localhost")),
    Trick("no host", b"GET /items HTTP/1.1\r\n\r\n"),
    *(
        Trick(f"host {name}", get(b"/items", host=b"Host: " + value))
        for name, value in {
            "with a slash": b"localhost/stolen",
            "with a space": b"localhost other",
            "with a NUL": b"localhost\x00",
            "list": b"localhost, other",
        }.items()
    ),
    *(
        Trick(f"host {name}", get(b"/items", host=b"Host: " + value), nginx=INVALID, why="the service refuses it")
        for name, value in {
            "with a port that is no number": b"localhost:80a",
            "with credentials": b"user:pass@localhost",
            "with a backslash": b"localhost\\other",
            "with a fragment": b"localhost#other",
            "with a query": b"localhost?other",
            "unclosed bracket": b"[::1",
        }.items()
    ),
    *(
        Trick(f"host {name}", get(b"/items", host=b"Host: " + value), SERVED, SERVED, "valid; ALLOWED_HOSTS decides")
        for name, value in {"with a port": b"localhost:8080", "with an underscore": b"local_host"}.items()
    ),
    *(
        Trick(
            f"host {name}", get(b"/items", host=b"Host: " + value), gunicorn=SERVED, why="valid; ALLOWED_HOSTS decides"
        )
        for name, value in {"empty": b"", "dot": b".", "dots": b".."}.items()
    ),
    *(
        Trick(name, get(target), SERVED, SERVED, "no response depends on the host")
        for name, target in {
            "absolute form with another host": b"http://other/items",
            "absolute form with https": b"https://localhost/items",
        }.items()
    ),
    Trick("absolute form with credentials", get(b"http://user@other/items")),
    Trick("absolute form without a host", get(b"http:///items")),
    Trick("absolute form of a file", get(b"file:///etc/passwd")),
    Trick("authority form", get(b"localhost:80")),
    Trick(
        "CONNECT",
        b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
        gunicorn=(404,),
        why="there is nothing, and Gunicorn closes the connection",
    ),
    Trick("asterisk", get(b"*")),
    *(
        Trick(
            f"header {line.split(b':')[0].decode()}", get(b"/items", line), SERVED, SERVED, "nothing reads this header"
        )
        for line in (
            b"X-Forwarded-Host: other",
            b"Forwarded: host=other",
            b"X-Original-URL: /stolen",
            b"X-Rewrite-URL: /stolen",
        )
    ),
    Trick(
        "Connection names the host",
        get(b"/items", b"Connection: keep-alive, Host"),
        SERVED,
        SERVED,
        "nginx sends a Host and a Connection header of its own",
    ),
]


def path(target: bytes, nginx: tuple[int, ...] = NOTHING, gunicorn: tuple[int, ...] = NOTHING, why: str = "") -> Trick:
    """Return a GET with this target. By default there is nothing: neither server changes a path."""
    return Trick(f"path {target.decode('ascii', 'backslashreplace')[:40]}", get(target), nginx, gunicorn, why)


NO_ID = "the service refuses it: this is no id"
PATHS = [
    *(
        path(target)
        for target in (
            b"/..;/items",
            b"/items/..;/.problem",
            b"/ui/../items",
            b"/ui/%2e%2e/items",
            b"/ui/%2e%2e/.problem",
            b"/./items",
            b"//items",
            b"/items//1",
            b"/items%2F1",
            b"/items%252F1",
            b"/items%5c1",
            b"/items\\1",
            b"/ITEMS",
            b"/items/",
            b"/items;a=b",
            b"/items%0d%0aX-Injected:1",
            b"/items%0d%0a%0d%0aGET%20/stolen",
            b"/%c0%af",
            b"/items#fragment",
            b"/%2eproblem",
            b"//.problem",
            b"/.problem/",
            b"/" + b"a" * 8000,
        )
    ),
    *(
        path(target, nginx=REFUSED, why="nginx refuses what leaves the root, or has a NUL")
        for target in (
            b"/../items",
            b"/ui/../../etc/passwd",
            b"/ui/..%2f..%2fetc%2fpasswd",
            b"/%2e%2e/%2e%2e/etc/passwd",
            b"/.%2e/items",
            b"/items%00",
            b"/" + b"../" * 2000,
        )
    ),
    *(
        path(target, INVALID, INVALID, NO_ID)
        for target in (
            b"/items/%c0%b1",
            b"/items/%e0%80%b1",
            b"/items/%f8%80%80%80%b1",
            b"/items/%ff",
            b"/items?a=b#fragment",
            b"/items/" + b"%31" * 2000,
        )
    ),
    *(path(target, INVALID, REFUSED, NO_ID) for target in (b"/items/\xff", "/items/１".encode())),
    *(path(target, REFUSED, INVALID, NO_ID) for target in (b"/items/%zz", b"/items/%")),
    path(b"/%69tems", SERVED, SERVED, "the same path by RFC 3986 §6.2.2.2, for both"),
    *(path(target, REFUSED, REFUSED) for target in (b"/items\x00", b"items", b"?limit=1", b"/items /stolen")),
    path(b"/" + b"a" * 9000, (414,), (414,)),
]
TRICKS = [*FRAMING, *HEADS, *HOSTS, *PATHS]

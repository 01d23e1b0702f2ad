"""Which requests cost the service most: `python -m benchmarks.costly`, or `make bench-costly`.

Each request is within every limit of the server and of the contract, and built to be expensive. They are sent over HTTP
to the service with one worker and its default settings. A cost is the CPU time of the worker, relative to that of
`GET /items/1` in the same run.
"""

import argparse
import itertools
import json
import socket
from collections.abc import Iterator, Sequence
from http.client import HTTPResponse
from pathlib import Path
from typing import NamedTuple

from benchmarks import report
from benchmarks.data import copy
from benchmarks.registry import SERVICE
from benchmarks.server import HOST, Server, serve

BODY = 65_536  # bytes; x-body-limit of the contract
HEADER = 8_150  # bytes; below limit_request_field_size of Gunicorn
HEADERS = 50  # below limit_request_fields of Gunicorn; so many long ones are more than the contract accepts
FULL = 3  # how many long headers the contract accepts
ORDINARY_COUNT = 500
COUNT = 3
ROUNDS = 3
QUERY = 8_000  # bytes; below limit_request_line of Gunicorn
Headers = list[tuple[bytes, bytes]]
JSON: Headers = [(b"content-type", b"application/json")]
PATCH: Headers = [(b"content-type", b"application/merge-patch+json")]


class Costly(NamedTuple):
    """A request that may be expensive."""

    name: str
    method: str
    path: str
    query: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes = b""


def _filled(size: int, piece: str, separator: str = ",", around: str = "…") -> bytes:
    """Numbered pieces, as many as fit into `size` bytes; `#` in a piece becomes the number."""
    pieces = []
    for number in itertools.count():
        pieces.append(piece.replace("#", str(number)))
        size -= len(pieces[-1].encode()) + len(separator)
        if size < 100:
            break
    return around.replace("…", separator.join(pieces)).encode()


def bodies() -> Iterator[tuple[str, bytes]]:
    """Bodies with as much of one thing as fits."""
    yield "unknown properties", _filled(BODY, '"#":1', around="{…}")
    yield "unknown properties of one letter and escapes", _filled(BODY, '"\\u0061#":1', around="{…}")
    yield "unknown properties with long names", _filled(BODY, '"' + "x" * 900 + '#":1', around="{…}")
    yield "an array of numbers", _filled(BODY, "1", around="[…]")
    yield "an array of objects", _filled(BODY, "{}", around="[…]")
    yield "a name of empty objects", b'{"name":' + _filled(BODY - 20, "[]", around="[…]") + b"}"
    yield "a deeply nested array", b"[" * (BODY // 2) + b"]" * (BODY // 2)
    yield "a deeply nested object", b'{"a":' * (BODY // 7) + b"1" + b"}" * (BODY // 7)
    yield "99 levels of wide arrays", b"[" * 99 + _filled(BODY - 250, "1") + b"]" * 99
    yield "properties twice", _filled(BODY, '"a":1', around="{…}")
    yield "objects, and a property twice", _filled(BODY - 20, '{"a":1}', around='[…,{"a":1,"a":1}]')
    yield "nested objects, and a property twice", _filled(BODY - 20, '{"a":[]}', around='[…,{"a":1,"a":1}]')
    yield "many properties, and one twice", _filled(BODY - 20, '"#":1', around='{…,"0":1}')
    yield "objects, and an escaped colon", _filled(BODY - 20, '{"a":1}', around='[…,"\\u003a:"]')
    yield "objects with colons", _filled(BODY, '{"a":":"}', around="[…]")
    yield "objects, and no end", _filled(BODY, '{"a":1}', around="[…")
    yield "objects, and a number that is too large", _filled(BODY - 20, '{"a":1}', around="[…,1e400]")
    yield "objects, and a long integer", _filled(BODY - 40, '{"a":1}', around="[…," + "9" * 20 + "]")
    yield "many properties, and a surrogate", _filled(BODY - 20, '"#":1', around='{…,"a":"\\ud800"}')
    yield "a long name", json.dumps({"name": "x" * (BODY - 20)}).encode()
    yield "a long name of escapes", b'{"name":"' + b"\\u00e9" * (BODY // 6 - 5) + b'"}'
    yield "a name of unpaired surrogates", b'{"name":"' + b"\\ud800" * (BODY // 6 - 5) + b'"}'
    yield "a name of emojis", b'{"name":"' + "😀".encode() * (BODY // 4 - 5) + b'"}'
    yield "long integers", _filled(BODY, "9" * 399, around="[…]")
    yield "long fractions", b'{"name":0.' + b"1" * (BODY - 20) + b"}"
    yield "many fractions", _filled(BODY, "1e-9", around="[…]")
    yield "one digit after the other", b'{"name":' + b"1" * (BODY - 20) + b"}"
    yield "white space", b" " * (BODY - 20) + b'{"name":"x"}'
    yield "quotation marks", b'"' * BODY
    yield "backslashes", b'{"name":"' + b"\\\\" * (BODY // 2 - 10) + b'"}'
    yield "an array of long integers", _filled(BODY, "9" * 25, around="[…]")
    yield (
        "long integers and a fraction",
        b"[" + b"9" * 350 + b",0." + b"1" * 410 + b"," + _filled(BODY - 900, "1") + b"]",
    )
    yield "objects with a property each", _filled(BODY, '{"a":1}', around="[…]")
    yield "colons in names", _filled(BODY, '":#":1', around="{…}")
    yield "not UTF-8", b'{"name":"' + b"\xff" * (BODY - 20) + b'"}'


def headers() -> Iterator[tuple[str, Headers]]:
    """Headers with as much of one thing as fits."""
    for size, lines in (("one line", 1), (f"{FULL} lines", FULL), (f"{HEADERS} lines", HEADERS)):
        yield f"Accept, {size}", [(b"accept", _filled(HEADER, "a#/*;q=0"))] * lines
        yield f"Accept of commas, {size}", [(b"accept", b"," * HEADER)] * lines
        yield f"Accept of parameters, {size}", [(b"accept", b"a/b" + b";a=b" * (HEADER // 5))] * lines
        yield f"If-Match, {size}", [(b"if-match", _filled(HEADER, '"#"'))] * lines
        yield f"If-Match without commas, {size}", [(b"if-match", b'"' * HEADER)] * lines
        yield f"If-Match of blanks, {size}", [(b"if-match", b'"1"' + b" " * (HEADER - 20) + b"x")] * lines
        yield f"If-None-Match, {size}", [(b"if-none-match", _filled(HEADER, 'W/"#"'))] * lines
        yield f"If-None-Match of commas, {size}", [(b"if-none-match", b", " * (HEADER // 2))] * lines
        yield f"Cookie, {size}", [(b"cookie", _filled(HEADER, "a#=b", "; "))] * lines
        yield f"X-Request-Id, {size}", [(b"x-request-id", b"a" * HEADER)] * lines
        yield f"Accept-Encoding, {size}", [(b"accept-encoding", _filled(HEADER, "a#;q=0.1"))] * lines
        yield f"Authorization, {size}", [(b"authorization", b"Basic " + b"YTp" * (HEADER // 3 - 2))] * lines
        yield f"Range, {size}", [(b"range", b"bytes=" + _filled(HEADER - 6, "#-"))] * lines
        yield f"Cookie of quotation marks, {size}", [(b"cookie", b'a="' + b"\\" * (HEADER - 10))] * lines
        yield f"X-Forwarded-For, {size}", [(b"x-forwarded-for", _filled(HEADER, "10.0.0.#"))] * lines
        yield f"X-Forwarded-Prefix, {size}", [(b"x-forwarded-prefix", b"/a" * (HEADER // 2))] * lines


def content_types() -> Iterator[tuple[str, bytes]]:
    """Values of Content-Type."""
    yield "parameters", b"application/json" + b";a=b" * (HEADER // 5)
    yield "open quotation marks", b"application/json" + b';a="' * (HEADER // 5)
    yield "semicolons in quotation marks", b'a;b="' + b";" * HEADER
    yield "charsets", b"application/json" + b";charset=x" * (HEADER // 11)
    yield "blanks", b"application/json;" + b" " * HEADER + b"x"
    yield "backslashes", b'application/json;a="' + b"\\" * HEADER


def queries() -> Iterator[tuple[str, bytes]]:
    """Query strings."""
    yield "unknown parameters", _filled(QUERY, "#", "&")
    yield "one parameter many times", b"limit=1&" * (QUERY // 9)
    yield "ampersands", b"&" * QUERY
    yield "escapes", b"name=" + b"%61" * (QUERY // 3 - 3)
    yield "escapes that are not UTF-8", b"name=" + b"%FF" * (QUERY // 3 - 3)
    yield "a cursor", b"cursor=" + b"A" * (QUERY - 10)
    yield "a cursor of a list", b"cursor=" + b"W1" * (QUERY // 2 - 10)
    yield "escapes of ampersands", b"%26" * (QUERY // 3)
    yield "unknown parameters that are escaped", _filled(QUERY, "%61#=%61", "&")
    yield "plus signs", b"name=" + b"+" * (QUERY - 10)
    yield "a page of 100", b"limit=100"
    yield "a page of 100, by name", b"limit=100&sort=-name"


def together() -> Iterator[Costly]:
    """A query, headers and a body that are expensive, in one request."""
    query = dict(queries())["unknown parameters"]
    long = [
        *JSON,
        (b"accept", b"*/*," + _filled(HEADER - 10, "a#/*;q=0")),
        (b"if-match", b'"1"' + b" " * (HEADER - 20) + b"x"),
    ]
    for name in ("properties twice", "an array of objects", "a name of empty objects", "a deeply nested object"):
        body = dict(bodies())[name]
        yield Costly(f"POST, {name}, query and headers", "POST", "/items", query, long, body)


def requests() -> Iterator[Costly]:
    """All of them."""
    for name, body in bodies():
        yield Costly(f"POST, {name}", "POST", "/items", headers=JSON, body=body[:BODY])
        yield Costly(f"PATCH, {name}", "PATCH", "/items/1", headers=PATCH, body=body[:BODY])
    for name, lines in headers():
        for method, path in (
            ("GET", "/items/1"),
            ("PUT", "/items/1"),
            ("GET", "/"),
            ("GET", "/ui/"),
            ("GET", "/openapi.json"),
            ("GET", "/none"),
        ):
            body = b'{"name":"x"}' if method == "PUT" else b""
            yield Costly(f"{method} {path}, {name}", method, path, headers=lines + JSON * bool(body), body=body)
    for name, value in content_types():
        yield Costly(
            f"POST, Content-Type: {name}", "POST", "/items", headers=[(b"content-type", value)], body=b'{"name":"x"}'
        )
    for name, query in queries():
        yield Costly(f"GET /items, {name}", "GET", "/items", query=query)
        yield Costly(f"GET /, {name}", "GET", "/", query=query)
    for name, path in (
        ("slashes", "/" * QUERY),
        ("a long path", "/items/" + "1" * QUERY),
        ("many parts", "/items" * (QUERY // 6)),
        ("a page of Swagger UI that is not there", "/ui/" + "a/" * (QUERY // 2)),
        ("dots", "/ui/" + "../" * (QUERY // 3)),
        ("escapes", "/items/" + "%31" * (QUERY // 3 - 10)),
        ("escapes that are not UTF-8", "/items/" + "%FF" * (QUERY // 3 - 10)),
        ("escaped slashes", "/items" + "%2F" * (QUERY // 3 - 10)),
    ):
        yield Costly(f"GET, {name}", "GET", path)
        yield Costly(f"POST, {name}", "POST", path, headers=JSON, body=b"{}")
    yield from together()
    for method, path in (("OPTIONS", "/items"), ("BREW", "/items"), ("GET", "/openapi.json"), ("GET", "/openapi.yaml")):
        yield Costly(f"{method} {path}", method, path)


ORDINARY = Costly("GET one", "GET", "/items/1")


class Connection:
    """A connection to the service, which is opened again when the service has closed it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._worker = server.workers()[0]
        self._socket: socket.socket | None = None

    def cost(self, request: Costly, count: int, rounds: int) -> tuple[float, int]:
        """Return the CPU time of one request in seconds, the least of some rounds, and the status."""
        best = float("inf")
        content = _bytes(request)
        for _ in range(rounds):
            before = self._cpu_seconds()
            for _ in range(count):
                status = self._send(content, is_head=request.method == "HEAD")
            best = min(best, (self._cpu_seconds() - before) / count)
        return best, status

    def _cpu_seconds(self) -> float:
        """Return the CPU time of all threads of the worker so far (schedstat of proc(5), in nanoseconds)."""
        tasks = Path(f"/proc/{self._worker}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def _send(self, content: bytes, *, is_head: bool) -> int:
        """Send a request and read the whole response; return its status."""
        if self._socket is None:
            self._socket = socket.create_connection((HOST, self._server.port))
        self._socket.sendall(content)
        response = HTTPResponse(self._socket, method="HEAD" if is_head else "GET")
        response.begin()
        response.read()
        if response.will_close:
            self._socket.close()
            self._socket = None
        return response.status


def _bytes(request: Costly) -> bytes:
    """Return the request as HTTP/1.1 has it."""
    target = request.path.encode() + (b"?" + request.query if request.query else b"")
    length = [(b"content-length", str(len(request.body)).encode())] if request.body or request.method == "POST" else []
    lines = [b"%b: %b" % line for line in [(b"host", b"localhost"), *request.headers, *length]]
    return b"\r\n".join([b"%b %b HTTP/1.1" % (request.method.encode(), target), *lines, b"", b""]) + request.body


def main() -> None:
    """Measure all of them and print the most expensive ones."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.costly", description=__doc__)
    parser.add_argument("--top", type=int, default=10, help="how many are printed")
    options = parser.parse_args()
    with copy() as database, serve(SERVICE, database, workers=1) as server:
        connection = Connection(server)
        connection.cost(ORDINARY, ORDINARY_COUNT, 1)
        usual, _ = connection.cost(ORDINARY, ORDINARY_COUNT, ROUNDS)
        found = [(*connection.cost(request, COUNT, ROUNDS), request) for request in requests()]
    found.sort(reverse=True, key=lambda one: one[0])
    rows = [
        [request.name, str(status), f"{seconds * 1e6:,.0f}", f"{seconds / usual:.1f}"]
        for seconds, status, request in found[: options.top]
    ]
    print(f"{len(found)} requests; GET /items/1 takes {usual * 1e6:.0f} µs.\n")
    print(report.table(["Request", "Status", "µs", "times GET one"], rows))


if __name__ == "__main__":
    main()

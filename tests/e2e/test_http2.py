"""HTTP/2 through nginx: illegal requests, limits, and clients that reset what they have asked for.

nginx translates HTTP/2 to HTTP/1.1, so a request must not become two, and a header not two headers.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.http2 import Client, Fields, connected, request
from tests.e2e.stack import Running, Show, ask, post, service, tls_edge, wait_until

RESET = "reset"
"""RST_STREAM with PROTOCOL_ERROR (RFC 9113 §8.1.1)."""
PROTOCOL_ERROR, ENHANCE_YOUR_CALM = 1, 11
STOLEN = b"GET /stolen HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED_STOLEN = b"0\r\n\r\n" + STOLEN


@dataclass(frozen=True)
class Edge:
    """The service, nginx with TLS and one connection to the service, and an item."""

    app: Running
    nginx: Running
    port: int
    certificate: Path
    item: str
    body: bytes


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """One service for all tests."""
    folder = tmp_path_factory.mktemp("http2")
    one_connection = ("http.d/upstream.conf", "keepalive 32;", "keepalive 1;")
    with (
        service(folder, LOG_FORMAT="json", WEB_CONCURRENCY="1") as app,
        tls_edge(folder, app.port, edits=[one_connection]) as (nginx, port, certificate),
    ):
        created = post(app.port, {"name": "Own"})
        yield Edge(app, nginx, port, certificate, created["Location"], created.body)


def write(*fields: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return a POST with these headers."""
    return [*request(method=b"POST"), (b"content-type", b"application/json"), *fields]


def read(*fields: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return a GET with these headers."""
    return [*request(), *fields]


def without(name: bytes) -> list[tuple[bytes, bytes]]:
    """Return a GET without this pseudo-header."""
    return [pair for pair in request() if pair[0] != name]


def scheme(value: bytes) -> list[tuple[bytes, bytes]]:
    """Return a GET with this scheme."""
    return [*without(b":scheme"), (b":scheme", value)]


BODIES: dict[str, tuple[Fields, bytes, int | str]] = {
    "H2.CL, shorter": (write((b"content-length", b"2")), b"{}" + STOLEN, 400),
    "H2.CL, longer": (write((b"content-length", b"100")), b"{}", 400),
    "H2.CL, zero": (write((b"content-length", b"0")), STOLEN, 400),
    "H2.CL, twice": (write((b"content-length", b"2"), (b"content-length", b"50")), b"{}", 400),
    "H2.CL, no number": (write((b"content-length", b"+2")), b"{}", 400),
    "H2.TE": (write((b"transfer-encoding", b"chunked")), CHUNKED_STOLEN, 400),
    "H2.TE, upper case": (write((b"Transfer-Encoding", b"chunked")), CHUNKED_STOLEN, RESET),
    "H2.TE, another coding": (write((b"transfer-encoding", b"identity")), b"{}", 501),
    "H2.TE in a value": (write((b"x", b"a\r\ntransfer-encoding: chunked")), CHUNKED_STOLEN, RESET),
    "H2.TE in a name": (write((b"transfer-encoding: chunked\r\nx", b"a")), CHUNKED_STOLEN, RESET),
    "H2.TE in the path": (
        [*write()[:3], (b":path", b"/items HTTP/1.1\r\ntransfer-encoding: chunked\r\nx: ")],
        b"",
        RESET,
    ),
}
FIELDS: dict[str, tuple[Fields, int | str]] = {
    "a length without a body": (read((b"content-length", b"41")), 400),
    "CRLF in a value": (read((b"x", b"a\r\nhost: other")), RESET),
    "LF in a value": (read((b"x", b"a\nhost: other")), RESET),
    "CR in a value": (read((b"x", b"a\rb")), RESET),
    "NUL in a value": (read((b"x", b"a\x00b")), RESET),
    "a control character in a value": (read((b"x", b"a\x01b")), 400),
    "CRLF in a name": (read((b"x\r\ny", b"a")), RESET),
    "an upper case name": (read((b"X-A", b"a")), RESET),
    "a space in a name": (read((b"x a", b"a")), RESET),
    "a colon in a name": (read((b"x:a", b"a")), RESET),
    "an empty name": (read((b"", b"a")), RESET),
    "CRLF in the path": (request(b"/items HTTP/1.1\r\nhost: x\r\n\r\nGET /stolen"), RESET),
    "LF in the path": (request(b"/items\n"), RESET),
    "NUL in the path": (request(b"/items\x00"), RESET),
    "a space in the path": (request(b"/items /stolen"), 400),
    "a version in the path": (request(b"/items HTTP/1.1"), 400),
    "an empty path": (request(b""), 400),
    "an asterisk": (request(b"*"), 400),
    "a URL as the path": (request(b"http://other/items"), 400),
    "a path without a slash": (request(b"items"), 400),
    "dots that leave the root": (request(b"/ui/%2e%2e/%2e%2e/etc/passwd"), 400),
    "overlong UTF-8": (request(b"/items/%c0%b1"), 400),
    "dots": (request(b"/ui/%2e%2e/items"), 404),
    "dots with a parameter": (request(b"/..;/items"), 404),
    "two slashes": (request(b"//items"), 404),
    "an encoded slash": (request(b"/items%2f1"), 404),
    "nginx's own page": (request(b"/.problem"), 404),
    "a long path": (request(b"/" + b"a" * 9000), 414),
    "CRLF in the method": (request(method=b"GET /stolen HTTP/1.1\r\nHost: x\r\n\r\nGET"), RESET),
    "a space in the method": (request(method=b"GET /stolen"), 400),
    "a lower case method": (request(method=b"get"), 400),
    "an empty method": (request(method=b""), 400),
    "CONNECT": ([(b":method", b"CONNECT"), (b":authority", b"localhost:80")], 400),
    "extended CONNECT": ([*request(method=b"CONNECT"), (b":protocol", b"websocket")], 400),
    "CRLF in the authority": (request(authority=b"localhost\r\nx: y"), RESET),
    "a slash in the authority": (request(authority=b"localhost/stolen"), 400),
    "credentials in the authority": (request(authority=b"user@localhost"), 400),
    "a space in the authority": (request(authority=b"local host"), 400),
    "an empty authority": (request(authority=b""), 400),
    "no authority and no host": (without(b":authority"), 400),
    "another host beside the authority": (read((b"host", b"other")), 400),
    "the same host beside the authority": (read((b"host", b"localhost")), 400),
    "two authorities": (read((b":authority", b"other")), 400),
    "two hosts": ([*without(b":authority"), (b"host", b"a"), (b"host", b"b")], 400),
    "two paths": (read((b":path", b"/stolen")), 400),
    "two methods": (read((b":method", b"DELETE")), 400),
    "a URL in the scheme": (scheme(b"https://other/stolen?"), 400),
    "CRLF in the scheme": (scheme(b"https\r\nx: y"), RESET),
    "no scheme": (without(b":scheme"), 400),
    "no path": (without(b":path"), 400),
    "no method": (without(b":method"), 400),
    "an unknown pseudo-header": (read((b":stolen", b"x")), 400),
    "a pseudo-header of responses": (read((b":status", b"200")), 400),
}
HARMLESS: dict[str, tuple[Fields, str]] = {
    "connection": (read((b"connection", b"close, x-request-id")), "nginx sends a Connection header of its own"),
    "upgrade": (read((b"upgrade", b"websocket")), "without Connection it has no meaning (RFC 9110 §7.8)"),
    "keep-alive": (read((b"keep-alive", b"timeout=1")), "the service does not read it"),
    "proxy-connection": (read((b"proxy-connection", b"close")), "the service does not read it"),
    "te": (read((b"te", b"chunked")), "the service does not read it, and sends no trailers"),
    "underscore": (read((b"transfer_encoding", b"chunked")), "nginx drops it"),
    "a pseudo-header after a header": ([(b"x", b"a"), *request()], "nginx writes the request line itself"),
    "host instead of the authority": ([*without(b":authority"), (b"host", b"localhost")], "RFC 9113 §8.3.1 allows it"),
    "a port in the authority": (request(authority=b"localhost:8443"), "valid; ALLOWED_HOSTS decides"),
    "an underscore in the authority": (request(authority=b"local_host"), "valid; ALLOWED_HOSTS decides"),
    "another scheme": (scheme(b"http"), "nginx forwards the scheme of the connection"),
    "forwarding headers": (
        read((b"x-forwarded-host", b"other"), (b"x-forwarded-proto", b"ftp"), (b"forwarded", b"host=other")),
        "nginx replaces them",
    ),
}


def assert_own_response(edge: Edge, client: Client) -> None:
    """The next stream of this client gets its own response, on the same connection to the service."""
    own = client.ask([*request(edge.item.encode()), (b"x-request-id", b"own")])
    assert (own.status, own.headers["x-request-id"], own.body) == (200, "own", edge.body)


def assert_refused(edge: Edge, fields: Fields, body: bytes | None, expected: int | str) -> None:
    """Assert the status of a problem, or that the stream is reset, and that nothing else has happened."""
    with connected(edge.port, edge.certificate) as client:
        outcome = client.ask(fields, body)
        if expected == RESET:
            assert (outcome.status, outcome.error) == (0, PROTOCOL_ERROR)
        else:
            problem = json.loads(outcome.body)
            assert (outcome.status, problem["status"]) == (expected, expected)
            assert outcome.headers["content-type"] == "application/problem+json"
        if client.is_open:
            assert_own_response(edge, client)
    with connected(edge.port, edge.certificate) as other:
        assert_own_response(edge, other)


@pytest.mark.parametrize("name", BODIES)
def test_a_body_cannot_hide_a_request(tls: Edge, name: str) -> None:
    """The length is that of the DATA frames, whatever the headers say."""
    assert_refused(tls, *BODIES[name])


@pytest.mark.parametrize("name", FIELDS)
def test_an_illegal_request_is_refused(tls: Edge, name: str) -> None:
    """With a problem, or by a reset of the stream if nginx cannot write it as HTTP/1.1."""
    fields, expected = FIELDS[name]
    assert_refused(tls, fields, None, expected)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_not_refused_is_harmless(tls: Edge, name: str) -> None:
    """The response is that of the same request without it, for the reason in the table."""
    fields, why = HARMLESS[name]
    with connected(tls.port, tls.certificate) as client:
        plain, outcome = client.ask(request()), client.ask(fields)
        assert (outcome.status, outcome.body, bool(why)) == (200, plain.body, True)
        assert outcome.headers.keys() == plain.headers.keys()
        assert_own_response(tls, client)


def test_the_service_has_seen_no_hidden_request(tls: Edge) -> None:
    """Neither as a request nor as a header, and both logs have the same number of requests."""
    for fields, body, expected in BODIES.values():
        assert_refused(tls, fields, body, expected)
    with connected(tls.port, tls.certificate) as client:
        client.ask([*request(), (b"x-request-id", b"the-last")])
    wait_until(lambda: all("the-last" in log.read_text() for log in (tls.app.err, tls.nginx.out)), "the last request")
    sent = [line for line in tls.nginx.lines() if line["upstream_status"]]
    served = [json.loads(line) for line in tls.app.err.read_text().splitlines()]
    served = [line for line in served if line["logger"] == "access" and line["path"] != "/readyz"]
    own = [line for line in served if line["method"] == "POST" and line["status"] == 201]
    assert len(served) - len(own) == len(sent) > len(BODIES)
    assert [line for line in served if "stolen" in line["path"]] == []


# Limits


def test_64_headers_are_served_and_more_are_a_431(tls: Edge) -> None:
    """As over HTTP/1.1."""
    with connected(tls.port, tls.certificate) as client:
        many = [(b"x-%d" % number, b"a") for number in range(70)]
        assert client.ask(read(*many[:63])).status == 200
        refused = client.ask(read(*many))
        assert (refused.status, json.loads(refused.body)["status"]) == (431, 431)
        long = client.ask(read((b"x-long", b"a" * 9000)))
        assert (long.status, json.loads(long.body)["status"]) == (431, 431)


def test_headers_without_end_close_the_connection(tls: Edge) -> None:
    """After 32 KiB, as http.d/limits.conf says: nginx does not store them."""
    with connected(tls.port, tls.certificate) as client:
        outcome = client.ask(read(*((b"x-%d" % number, b"a" * 8000) for number in range(5))))
        assert (outcome.status, outcome.error, client.is_open) == (0, ENHANCE_YOUR_CALM, False)
    with connected(tls.port, tls.certificate) as other:
        assert_own_response(tls, other)


@pytest.mark.parametrize("length", [[(b"content-length", b"65537")], []], ids=["announced", "not announced"])
def test_a_body_above_the_limit_is_a_413(tls: Edge, length: Fields) -> None:
    """With content-length and without."""
    fields = write(*length)
    with connected(tls.port, tls.certificate) as client:
        number = client.start(fields)
        client.send_body(number, b" " * 65537)
        outcome = client.outcome(number)
        assert (outcome.status, json.loads(outcome.body)["status"]) == (413, 413)
        assert_own_response(tls, client)


def test_a_client_has_128_streams_at_the_same_time(tls: Edge) -> None:
    """Nginx refuses the next one, and the connection goes on."""
    with connected(tls.port, tls.certificate) as client:
        client.ask(request())
        assert client.connection.remote_settings.max_concurrent_streams == 128
        client.connection.remote_settings.max_concurrent_streams = 1000  # the client ignores it
        client.connection.remote_settings.acknowledge()
        waiting = [client.start(write()) for _ in range(128)]
        refused = client.ask(request())
        assert (refused.status, refused.error) == (0, 7)  # REFUSED_STREAM: the client may send it again
        for number in waiting:
            client.send_body(number, b"{}")
        assert {client.outcome(number).status for number in waiting} == {400}
        assert_own_response(tls, client)


def test_others_are_served_while_a_client_resets_its_streams(tls: Edge, show: Show) -> None:
    """As fast as it can (CVE-2023-44487), on four connections. nginx closes each after 1,000 streams."""
    stop, counts = threading.Event(), []

    def reset_all_the_time() -> None:
        while not stop.is_set():
            with connected(tls.port, tls.certificate) as client:
                resets = 0
                while client.is_open and resets < 3000:
                    number = client.start(request(tls.item.encode()))
                    client.connection.reset_stream(number)
                    client.flush()
                    resets += 1
                    client.read_what_is_there()
                counts.append(resets)

    statuses = []
    with ExitStack() as stack:
        for _ in range(4):
            thread = threading.Thread(target=reset_all_the_time)
            thread.start()
            stack.callback(thread.join)
        stack.callback(stop.set)
        while len(counts) < 8:
            with connected(tls.port, tls.certificate) as client:
                statuses += [client.ask(request(tls.item.encode())).status for _ in range(100)]
    show(f"{sum(counts)} streams reset on {len(counts)} connections; of others {len(statuses)} served")
    assert set(statuses) == {200}
    assert max(counts) < 3000  # nginx has closed every connection
    assert ask(tls.app.port, "GET", "/healthz").status == 200

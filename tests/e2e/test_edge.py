"""The real nginx with the files of nginx/, in front of the real service or a scripted one."""

import contextlib
import gzip
import http.client
import json
import os
import re
import signal
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.problem_pages import problem_types
from tests.e2e.stack import (
    NGINX_CONF,
    Edit,
    Response,
    Running,
    Show,
    ask,
    configure,
    edge,
    free_port,
    listed,
    listens,
    nginx_program,
    post,
    send,
    tls_edge,
    wait_until,
)

LIMIT = 65536
IMPATIENT = [("server.d/retries.conf", f"auth_delay {wait};", "auth_delay 10ms;") for wait in ("1s", "4s", "8s")]
"""Nginx waits for a service that is down, but not long."""
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
UI_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types dompurify items default"
)
SECURITY = {
    "Content-Security-Policy": API_POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
COLLECTION, ITEM, OTHER = "GET, HEAD, OPTIONS, POST", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT", "GET, HEAD, OPTIONS"
MADE_ID = re.compile(r"^[0-9a-f]{32}$")


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, app: Running) -> Iterator[Running]:
    """Nginx in front of the service."""
    with edge(tmp_path_factory.mktemp("edge"), app.port) as running:
        yield running


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Nginx without a service."""
    with edge(tmp_path_factory.mktemp("lonely"), free_port(), IMPATIENT) as running:
        yield running


def problem(status: int, title: str, detail: str, **extensions: str) -> bytes:
    """Return a problem document in the format of the service and of nginx."""
    document = {"type": problem_types()[status], "title": title, "status": status, "detail": detail, **extensions}
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def assert_problem(response: Response, status: int, title: str, detail: str, **headers: str) -> None:
    """Assert that the whole response is this problem from nginx."""
    expected = problem(status, title, detail)
    sent = dict(response.headers)
    assert len(sent) == len(response.headers), "a header is there twice"
    assert MADE_ID.match(sent.pop("X-Request-Id"))
    assert sent.pop("Date")
    assert sent.pop("Connection") in ("close", "keep-alive")
    assert (response.status, response.body, sent) == (
        status,
        expected,
        {
            "Server": "nginx",
            "Content-Type": "application/problem+json",
            "Content-Length": str(len(expected)),
            "Cache-Control": "no-store",
            **SECURITY,
            **headers,
        },
    )


# nginx's own errors

MALFORMED = "The request is not valid HTTP. Check the request line, the headers and the framing."
TOO_LARGE = "The body may have at most 65536 bytes."
NOTHING = "There is nothing at this URL."
LONG = "a" * 9000


def head(line: str, *fields: str) -> bytes:
    """Return the request line and headers as bytes."""
    return "\r\n".join([line, *fields, "", ""]).encode()


@dataclass(frozen=True)
class Rejection:
    """A request that nginx rejects, and the problem in the response."""

    name: str
    request: bytes
    status: int
    title: str
    detail: str
    headers: dict[str, str] = field(default_factory=dict)


LONG_URL = "The URL is longer than this service accepts. Shorten it."
LONG_HEADERS = "The headers are larger than this service accepts. Send fewer or shorter headers."
POST = ("POST /items HTTP/1.1", "Host: a")
CHUNKED = "Transfer-Encoding: chunked"
REFUSALS = [
    Rejection("no HTTP", b"nonsense\r\n\r\n", 400, "Bad Request", MALFORMED),
    Rejection("no Host", head("GET /items HTTP/1.1"), 400, "Bad Request", MALFORMED),
    Rejection("no number for a length", head(*POST, "Content-Length: x"), 400, "Bad Request", MALFORMED),
    Rejection("two lengths", head(*POST, "Content-Length: 1", CHUNKED), 400, "Bad Request", MALFORMED),
    *(
        Rejection(f"nginx's own {page}", head(f"GET {page} HTTP/1.1", "Host: a"), 404, "Not Found", NOTHING)
        for page in ("/.problem", "/.failure", "/.refused")
    ),
    *(
        Rejection(
            f"TRACE {path}",
            head(f"TRACE {path} HTTP/1.1", "Host: a"),
            405,
            "Method Not Allowed",
            f"TRACE is not allowed here; allowed methods: {allow}.",
            {"Allow": allow},
        )
        for path, allow in (("/items", COLLECTION), ("/items?limit=1", COLLECTION), ("/items/1", ITEM), ("/ui/", OTHER))
    ),
    Rejection("a byte too many", head(*POST, "Content-Length: 65537"), 413, "Content Too Large", TOO_LARGE),
    Rejection(
        "100 KiB that wait for 100 Continue",
        head(*POST, "Content-Length: 102400", "Expect: 100-continue"),
        413,
        "Content Too Large",
        TOO_LARGE,
    ),
    Rejection(
        "100 KiB in a chunk",
        head(*POST, CHUNKED) + b"19000\r\n" + b" " * 0x19000,
        413,
        "Content Too Large",
        TOO_LARGE,
    ),
    Rejection("a long URL", head(f"GET /{LONG} HTTP/1.1", "Host: a"), 414, "URI Too Long", LONG_URL),
    Rejection(
        "a long header",
        head("GET /items HTTP/1.1", "Host: a", f"X-Long: {LONG}"),
        431,
        "Request Header Fields Too Large",
        LONG_HEADERS,
    ),
    Rejection(
        "another framing",
        head(*POST, "Transfer-Encoding: gzip"),
        501,
        "Not Implemented",
        "The only supported Transfer-Encoding is chunked.",
    ),
    Rejection(
        "another version",
        head("GET /items HTTP/3.0", "Host: a"),
        505,
        "HTTP Version Not Supported",
        "Use HTTP/1.1 or HTTP/1.0.",
    ),
]


@pytest.mark.parametrize("rejection", REFUSALS, ids=lambda rejection: rejection.name)
def test_errors_of_nginx_itself_are_problems(lonely: Running, rejection: Rejection) -> None:
    """Requests that nginx rejects get a problem with all headers, even without a service."""
    response = send(lonely.port, rejection.request)
    assert_problem(response, rejection.status, rejection.title, rejection.detail, **rejection.headers)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_service_that_is_down_is_a_502(lonely: Running, method: str) -> None:
    """The problem has Retry-After."""
    response = ask(lonely.port, method, "/items/1", b"{}", {"Content-Type": "application/json"})
    detail = "The service did not respond. Try again in a moment."
    assert_problem(response, 502, "Bad Gateway", detail, **{"Retry-After": "1"})


def test_head_of_an_error_has_no_body(lonely: Running) -> None:
    """HEAD gets only the headers of the problem."""
    response = ask(lonely.port, "HEAD", "/items")
    assert (response.status, response.body) == (502, b"")
    assert response["Content-Type"] == "application/problem+json"
    assert int(response["Content-Length"]) > 0


def test_a_service_that_does_not_respond_is_a_504(tmp_path: Path) -> None:
    """The service has received the request, and gets it only once."""
    shorter = [("server.d/proxy.conf", "proxy_read_timeout 35s;", "proxy_read_timeout 200ms;")]
    with scripted(lambda *_: b"") as upstream, edge(tmp_path / "edge", upstream.port, shorter) as nginx:
        response = ask(nginx.port, "GET", "/items")
        assert len(upstream.requests) == 1
    detail = "The service did not respond in time. Try again in a moment."
    assert_problem(response, 504, "Gateway Timeout", detail, **{"Retry-After": "1"})


def test_a_connection_timeout_is_a_502(tmp_path: Path) -> None:
    """The host does not respond, like a stopped container. No service has received the request, so it is no 504."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as waiting:
        port = full.getsockname()[1]
        for _ in range(4):  # fill the queue of connections, so that further ones get no response
            queued = waiting.enter_context(socket.socket())
            queued.settimeout(0)
            queued.connect_ex(("127.0.0.1", port))
        shorter = [("server.d/proxy.conf", "proxy_connect_timeout 1s;", "proxy_connect_timeout 200ms;")]
        with edge(tmp_path / "edge", port, [*shorter, *IMPATIENT]) as nginx:
            response = ask(nginx.port, "POST", "/items", b"{}")
        assert "upstream timed out" in nginx.err.read_text()
    detail = "The service did not respond. Try again in a moment."
    assert_problem(response, 502, "Bad Gateway", detail, **{"Retry-After": "1"})


def test_an_invalid_response_is_a_502(tmp_path: Path) -> None:
    """The headers of the service are invalid."""
    broken = OK.replace(b"\r\n\r\n", b"\r\nX-Broken: \0\r\n\r\n")
    with scripted(lambda *_: broken) as upstream, edge(tmp_path / "edge", upstream.port, IMPATIENT) as nginx:
        response = ask(nginx.port, "GET", "/items")
    detail = "The service did not respond. Try again in a moment."
    assert_problem(response, 502, "Bad Gateway", detail, **{"Retry-After": "1"})


def test_the_rate_limit_is_a_429_when_enabled(tmp_path: Path, app: Running) -> None:
    """One uncommented line in limits.conf enables it, and the problem has Retry-After."""
    limits = "http.d/limits.conf"
    line = "limit_req zone=per_client burst=200 nodelay;"
    switched_on = [(limits, f"#{line}", line), (limits, "burst=200", "burst=1"), (limits, "rate=100r/s", "rate=1r/m")]
    with edge(tmp_path / "edge", app.port, switched_on) as nginx:
        responses = [ask(nginx.port, "GET", "/healthz") for _ in range(3)]
    assert [response.status for response in responses] == [200, 200, 429]
    detail = "Too many requests from your IP address. Wait a moment and try again."
    assert_problem(responses[2], 429, "Too Many Requests", detail, **{"Retry-After": "1"})


def test_a_client_that_is_too_slow_gets_no_response(tmp_path: Path, app: Running) -> None:
    """Nginx closes the connection, so there is no problem for 408."""
    shorter = [("http.d/timeouts.conf", "client_body_timeout 15s;", "client_body_timeout 200ms;")]
    with (
        edge(tmp_path / "edge", app.port, shorter) as nginx,
        socket.create_connection(("127.0.0.1", nginx.port), timeout=10) as connection,
    ):
        connection.sendall(head(*POST, "Content-Length: 10") + b"{")
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""


# Responses that pass through

PASSED_ON = [
    ("GET", "/items/9007199254740991", b"", {}),
    ("GET", "/items/nine", b"", {}),
    ("GET", "/items?limit=0&sort=colour", b"", {}),
    ("GET", "/nothing/here", b"", {}),
    ("DELETE", "/items", b"", {}),
    ("OPTIONS", "/items", b"", {}),
    ("POST", "/items", b"{}", {"Content-Type": "application/json"}),
    ("POST", "/items", b"{", {"Content-Type": "application/json"}),
    ("POST", "/items", b"a", {"Content-Type": "text/plain"}),
    ("GET", "/healthz", b"", {}),
    ("GET", "/readyz", b"", {}),
    ("GET", "/openapi.json", b"", {}),
    ("GET", "/openapi.yaml", b"", {}),
    ("GET", "/", b"", {}),
    ("GET", "/", b"", {"Accept": "text/html"}),
    ("GET", "/ui", b"", {}),
    ("GET", "/ui/", b"", {}),
    ("GET", "/ui/swagger-ui.css", b"", {}),
]


@pytest.mark.parametrize("request_parts", PASSED_ON, ids=lambda parts: f"{parts[0]} {parts[1]} {parts[2].decode()}")
def test_responses_of_the_service_are_unchanged(
    app: Running, nginx: Running, request_parts: tuple[str, str, bytes, dict[str, str]]
) -> None:
    """Status, body and the service's own headers are the same as without nginx, which adds its headers once."""
    method, path, body, headers = request_parts
    sent = {**headers, "X-Request-Id": "same-for-both"}
    direct, through = (ask(port, method, path, body or None, sent) for port in (app.port, nginx.port))
    assert (through.status, through.body) == (direct.status, direct.body)
    hops = {"server", "date", "connection", "vary", "ratelimit"}
    kept = [(name.lower(), value) for name, value in direct.headers if name.lower() not in hops]
    got = [(name.lower(), value) for name, value in through.headers if name.lower() not in hops]
    policy = UI_POLICY if path.startswith("/ui/") else API_POLICY
    added = {**SECURITY, "Content-Security-Policy": policy, "X-Request-Id": "same-for-both"}
    own = {name.lower() for name in added}
    assert sorted(pair for pair in got if pair[0] not in own) == sorted(pair for pair in kept if pair[0] not in own)
    assert {name: through.all(name) for name in added} == {name: [value] for name, value in added.items()}


def test_no_version_is_revealed(nginx: Running) -> None:
    """The Server header is nginx's, without a version."""
    assert ask(nginx.port, "GET", "/items").all("Server") == ["nginx"]


def test_a_body_as_large_as_the_limit_reaches_the_service(nginx: Running) -> None:
    """A body of 65,536 bytes is accepted."""
    body = b'{"name": "As large as may be"}'.ljust(LIMIT)
    response = ask(nginx.port, "POST", "/items", body, {"Content-Type": "application/json"})
    assert (response.status, response.json()["name"]) == (201, "As large as may be")


@pytest.mark.parametrize(("number", "status"), [(64, 200), (69, 431)])
def test_64_headers_reach_the_service(nginx: Running, number: int, status: int) -> None:
    """With those that nginx adds, they are within Gunicorn's limit."""
    fields = ["Host: a", *(f"X-{n}: {n}" for n in range(number - 1))]
    assert send(nginx.port, head("GET /items HTTP/1.1", *fields)).status == status


def test_a_chunked_body_reaches_the_service(nginx: Running) -> None:
    """Nginx reads the whole body and forwards it with a Content-Length."""
    chunks = iter([b'{"name": ', b'"In two pieces"}'])
    response = ask(nginx.port, "POST", "/items", chunks, {"Content-Type": "application/json"})
    assert (response.status, response.json()["name"]) == (201, "In two pieces")


def test_no_temporary_file_is_written(nginx: Running) -> None:
    """The folders for temporary files stay empty with the largest body and the largest response."""
    ask(nginx.port, "POST", "/items", b" " * LIMIT, {"Content-Type": "application/json"})
    ask(nginx.port, "GET", "/ui/swagger-ui-bundle.js")
    folder = nginx.out.parent
    written = [path for path in folder.rglob("nginx-*/**/*") if path.is_file()]
    assert written == []
    assert "buffered to a temporary file" not in nginx.err.read_text()


# Request ids, log, forwarded headers


@pytest.mark.parametrize("request_id", ["a", "Az09._~:+/=@-", "x" * 64])
def test_a_valid_request_id_of_the_client_is_kept(app: Running, nginx: Running, request_id: str) -> None:
    """It is in the response, in nginx's log and in the service's log."""
    path = f"/items?name={len(request_id)}"
    response = ask(nginx.port, "GET", path, headers={"X-Request-Id": request_id})
    assert response.all("X-Request-Id") == [request_id]
    line = nginx.line(request_id)
    assert (line["path"], line["status"]) == (path, 200)
    wait_until(lambda: f"[{request_id}]" in app.err.read_text(), f"{request_id} in the service's log")


@pytest.mark.parametrize("request_id", ["", "x" * 65, "a b", 'a"b', "a\tb", "a,b", "é", "{}"])
def test_an_invalid_request_id_is_replaced(nginx: Running, request_id: str) -> None:
    """The response and the log have a new one."""
    raw = f"GET /items HTTP/1.1\r\nHost: a\r\nX-Request-Id: {request_id}\r\n\r\n".encode()
    made = send(nginx.port, raw)["X-Request-Id"]
    assert MADE_ID.match(made)
    assert nginx.line(made)["status"] == 200


def test_an_error_of_nginx_has_the_request_id_of_the_client(nginx: Running) -> None:
    """The response has the request id, and the log has the requested method and URL."""
    response = ask(nginx.port, "TRACE", "/items/1?a=b", headers={"X-Request-Id": "traced-1"})
    assert (response.status, response.all("X-Request-Id")) == (405, ["traced-1"])
    line = nginx.line("traced-1")
    assert (line["method"], line["path"], line["status"], line["upstream"]) == ("TRACE", "/items/1?a=b", 405, "")


def test_a_line_of_the_log_is_one_json_object(app: Running, nginx: Running) -> None:
    """Numbers are JSON numbers, and text from clients is escaped."""
    response = ask(
        nginx.port, "POST", "/items", b"{}", {"X-Request-Id": "logged-1", "User-Agent": 'a "quoted" \\ agent'}
    )
    line = nginx.line("logged-1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", line.pop("time"))
    assert float(line.pop("upstream_duration")) >= 0
    assert line.pop("duration") >= 0
    assert line == {
        "level": "info",
        "logger": "nginx.access",
        "bytes": len(response.body),
        "request_id": "logged-1",
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/items",
        "protocol": "HTTP/1.1",
        "status": 415,
        "trace_id": "",
        "upstream": f"127.0.0.1:{app.port}",
        "upstream_status": "415",
        "user_agent": 'a "quoted" \\ agent',
    }


def test_every_line_of_the_log_is_json(nginx: Running, lonely: Running) -> None:
    """This also holds for raw bytes, control characters and HTTP/0.9."""
    for request in (
        b"GET /\x01\xff HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
        b"get / http/1.1\r\n\r\n",
        b'G"T / HTTP/1.1\r\n\r\n',
    ):
        assert send(nginx.port, request).status == 400
    for port in (nginx.port, lonely.port):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"GET /items\r\n")
            while connection.recv(4096):
                pass
    assert ask(nginx.port, "GET", "/items", headers={"X-Request-Id": "last"}).status == 200
    assert nginx.line("last")["status"] == 200
    assert all(isinstance(line["status"], int) for line in nginx.lines() + lonely.lines())


@pytest.mark.parametrize(
    ("name", "raw", "logged"),
    [
        ("raw-bytes", b"/items?a=\xff&b", "/items?a=..."),
        ("utf-8", "/items?a=é".encode(), "/items?a=..."),
        ("c1", b"/items?\xc2\x9b31m", "/items?..."),
        ("quotes", b'/items?"\\', '/items?"\\'),
        ("long", b"/items?" + b'"' * 5000, "/items?" + '"' * 993 + "..."),
        ("longest", b"/items?" + b"a" * 993, "/items?" + "a" * 993),
    ],
)
def test_text_of_clients_is_ascii_in_the_log(nginx: Running, name: str, raw: bytes, logged: str) -> None:
    """It is cut at the first other byte, and so that a pipe takes the line as a whole."""
    agent = raw.replace(b"/items?", b"\x1b[31m")
    send(
        nginx.port,
        b"GET %b HTTP/1.1\r\nHost: a\r\nX-Request-Id: agent-%b\r\nUser-Agent: %b\r\n\r\n" % (raw, name.encode(), agent),
    )
    line = nginx.line(f"agent-{name}")
    assert line["path"] == logged
    assert line["user_agent"] == "..."
    (text,) = (text for text in nginx.out.read_text(encoding="ascii").splitlines() if f"agent-{name}" in text)
    assert text.isprintable()
    assert len(text) < 4096


def _start(folder: Path, *, upstream: int, more: str = "") -> tuple[subprocess.Popen[bytes], int]:
    """Start nginx as its container does: with the script `run`."""
    port = free_port()
    _, *arguments = configure(folder, port, upstream)
    command = [str(NGINX_CONF / "run"), *arguments, *(["-g", more] if more else [])]
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:{Path(nginx_program()).parent}"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment), port


@pytest.mark.parametrize("stop", [signal.SIGQUIT, signal.SIGTERM])
def test_every_line_of_the_container_is_json(tmp_path: Path, stop: signal.Signals) -> None:
    """The error log has the same fields, and ends with nginx."""
    process, port = _start(tmp_path, upstream=free_port())
    wait_until(lambda: listens(port), "nginx listening")
    send(port, b'GET /items?\xff\x1b"\\ HTTP/1.1\r\nHost: a\r\n\r\n')
    assert ask(port, "GET", "/items?a=b").status == 502
    process.send_signal(stop)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    lines = [json.loads(line) for line in output.decode("ascii").splitlines()]
    assert "/items?a=b" in [line["path"] for line in lines if line["logger"] == "nginx.access"]
    events = [line for line in lines if line["logger"] == "nginx"]
    for event in events:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000\+00:00", event["time"])
        assert (event["level"], event["request_id"]) == ("error", None)
    assert "connect() failed" in events[-1]["message"]


def test_a_start_of_nginx_that_fails_is_logged_as_json(tmp_path: Path) -> None:
    """The script has nginx's exit status."""
    process, _ = _start(tmp_path, upstream=free_port(), more="unknown on;")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    events = [json.loads(line) for line in output.decode("ascii").splitlines()]
    assert [(event["level"], event["logger"]) for event in events] == [("critical", "nginx")]
    assert 'unknown directive "unknown"' in events[0]["message"]


def test_the_health_check_of_the_container(nginx: Running) -> None:
    """It succeeds if nginx responds, fails otherwise, and is not logged."""
    script = str(NGINX_CONF / "healthcheck")
    alive, dead = (
        subprocess.run([script, str(port)], capture_output=True, check=False, timeout=30).returncode
        for port in (nginx.port, free_port())
    )
    assert (alive, dead) == (0, 1)
    assert not [line for line in nginx.lines() if line["user_agent"] == "healthcheck"]


def test_forwarding_headers_of_clients_are_replaced(tmp_path: Path) -> None:
    """The service gets these headers only from nginx."""
    lies = {
        "Host": "items.example:8443",
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "//evil.example",
        "Forwarded": "for=10.0.0.1",
        "X-Request-Id": "kept",
        "Connection": "close, X-Hop",
        "If-Match": '"1"',
    }
    with scripted(lambda *_: OK) as upstream, edge(tmp_path / "edge", upstream.port) as nginx:
        ask(nginx.port, "PUT", "/items/1%2F2?a=%20b", b"{}", lies)
    (request,) = upstream.requests
    line, _, rest = request.partition(b"\r\n")
    fields = dict(field.split(": ", 1) for field in rest.decode().split("\r\n\r\n")[0].split("\r\n"))
    assert line == b"PUT /items/1%2F2?a=%20b HTTP/1.1"
    assert fields == {
        "Host": "items.example:8443",
        "X-Forwarded-For": "127.0.0.1",
        "X-Request-Id": "kept",
        "If-Match": '"1"',
        "Content-Length": "2",
        "Accept-Encoding": "identity",
    }


@pytest.mark.parametrize(
    ("sent", "forwarded"),
    [("192.0.2.9, 192.0.2.1", "192.0.2.9, 192.0.2.1"), ("", "127.0.0.1"), (None, "127.0.0.1")],
)
def test_a_trusted_proxy_says_where_a_client_is(tmp_path: Path, sent: str | None, forwarded: str) -> None:
    """If it does not, it counts as the client itself."""
    trusted = [("local/proxies.conf", "#192.0.2.1     1;", "127.0.0.1 1;")]
    headers = {} if sent is None else {"X-Forwarded-For": sent}
    with scripted(lambda *_: OK) as upstream, edge(tmp_path / "edge", upstream.port, trusted) as nginx:
        ask(nginx.port, "GET", "/items", headers=headers)
    (request,) = upstream.requests
    assert f"\r\nX-Forwarded-For: {forwarded}\r\n".encode() in request


@pytest.mark.parametrize("path", ["/", "/ui"])
def test_a_redirect_has_no_host(nginx: Running, path: str) -> None:
    """No header of a client can make it lead to another host."""
    lies = {
        "Accept": "text/html",
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "//evil.example",
    }
    assert ask(nginx.port, "GET", path, headers=lies)["Location"] == "/ui/"


def test_http_1_0_without_a_host_is_served(nginx: Running) -> None:
    """HTTP/1.0 requires no Host, and nginx adds one for the service."""
    assert send(nginx.port, b"GET /healthz HTTP/1.0\r\n\r\n").json() == {"status": "ok"}


# Compression and entity tags

GZIP = {"Accept-Encoding": "gzip"}


@pytest.mark.parametrize("path", ["/openapi.json", "/openapi.yaml", "/ui/swagger-ui-bundle.js", "/ui/swagger-ui.css"])
def test_large_responses_are_compressed(nginx: Running, path: str) -> None:
    """Clients that accept gzip get the same content with `Vary: Accept-Encoding`."""
    plain, packed = ask(nginx.port, "GET", path), ask(nginx.port, "GET", path, headers=GZIP)
    assert (plain.all("Content-Encoding"), packed.all("Content-Encoding")) == ([], ["gzip"])
    assert "Accept-Encoding" in plain.all("Vary")
    assert "Accept-Encoding" in packed.all("Vary")
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 2


def test_a_page_of_items_is_compressed(nginx: Running) -> None:
    """A long list is compressed, and its links are unchanged."""
    for number in range(20):
        assert post(nginx.port, {"name": f"Listed {number}", "description": "x" * 100}).status == 201
    plain, packed = ask(nginx.port, "GET", "/items"), ask(nginx.port, "GET", "/items", headers=GZIP)
    assert (packed.status, packed["Content-Encoding"], packed["Link"]) == (200, "gzip", plain["Link"])
    assert gzip.decompress(packed.body) == plain.body


def test_an_item_keeps_its_strong_etag(nginx: Running) -> None:
    """The ETag of the largest item is strong, even with `Accept-Encoding: gzip`, and works in If-Match."""
    large = {"name": "\U0001f4a1" * 80, "description": "\U0001f4a1" * 200}
    created = post(nginx.port, large, GZIP)
    path = created["Location"]
    got = ask(nginx.port, "GET", path, headers=GZIP)
    assert (created["ETag"], created.all("Content-Encoding")) == (got["ETag"], [])
    assert (got["ETag"][0], got.all("Content-Encoding")) == ('"', [])
    change = {**GZIP, "Content-Type": "application/json", "If-Match": got["ETag"]}
    changed = ask(nginx.port, "PUT", path, json.dumps(large).encode(), change)
    assert (changed.status, changed["ETag"][0]) == (200, '"')
    assert changed["ETag"] != got["ETag"]
    again = ask(nginx.port, "PUT", path, json.dumps(large).encode(), change)
    assert again.status == 412
    assert ask(nginx.port, "DELETE", path, headers={"If-Match": changed["ETag"]}).status == 204


@pytest.mark.parametrize("path", ["/openapi.json", "/openapi.yaml", "/ui/swagger-ui-bundle.js"])
def test_a_compressed_file_can_be_revalidated(nginx: Running, path: str) -> None:
    """Compression makes the ETag weak, and it still works in If-None-Match."""
    packed = ask(nginx.port, "GET", path, headers=GZIP)
    assert packed["ETag"].startswith('W/"')
    again = ask(nginx.port, "GET", path, headers={**GZIP, "If-None-Match": packed["ETag"]})
    assert (again.status, again.body) == (304, b"")


def test_an_unchanged_item_is_a_304(nginx: Running) -> None:
    """The service evaluates If-None-Match, and nginx does not change the result."""
    created = post(nginx.port, {"name": "Unchanged"})
    response = ask(nginx.port, "GET", created["Location"], headers={"If-None-Match": created["ETag"]})
    assert (response.status, response.body, response["ETag"]) == (304, b"", created["ETag"])


# Connections to the service

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n[]"
Respond = Callable[[bytes, int], bytes | None]


class Scripted(socketserver.ThreadingTCPServer):
    """A service that responds with `respond(request, number on this connection)`; None closes the connection."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, respond: Respond, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.respond = respond
        self.requests: list[bytes] = []
        self.connections = 0
        self.port: int = self.server_address[1]


class _Connection(socketserver.StreamRequestHandler):
    server: Scripted

    def handle(self) -> None:
        number = 0
        while request := self._read():
            number += 1
            self.server.connections += number == 1
            self.server.requests.append(request)
            response = self.server.respond(request, number)
            if response is None:
                return
            self.wfile.write(response)

    def _read(self) -> bytes:
        lines = []
        with contextlib.suppress(ConnectionError):
            while (line := self.rfile.readline()) not in (b"", b"\r\n"):
                lines.append(line)
        if not lines:
            return b""
        request = b"".join(lines) + b"\r\n"
        length = re.search(rb"(?i)^content-length: (\d+)", request, re.MULTILINE)
        return request + (self.rfile.read(int(length[1])) if length else b"")


@contextlib.contextmanager
def scripted(respond: Respond, port: int = 0) -> Iterator[Scripted]:
    """Run a scripted service."""
    with Scripted(respond, port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def close_on_the_second(_request: bytes, number: int) -> bytes | None:
    """Respond to the first request of each connection, and close the connection on the second."""
    return OK if number == 1 else None


def on_one_connection(port: int, methods: list[str]) -> list[int]:
    """Send these requests on one connection, and return the statuses."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    statuses = []
    for method in methods:
        connection.request(method, "/items/1", b"{}")
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
    connection.close()
    return statuses


def test_connections_to_the_service_stay_open(tmp_path: Path) -> None:
    """Many requests use one connection to the service."""
    with scripted(lambda *_: OK) as upstream, edge(tmp_path / "edge", upstream.port) as nginx:
        assert on_one_connection(nginx.port, ["GET", "POST"] * 10) == [200] * 20
    assert (len(upstream.requests), upstream.connections) == (20, 1)


METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]


@pytest.mark.parametrize("method", METHODS[:3])
def test_a_request_that_changes_nothing_is_sent_again(tmp_path: Path, method: str) -> None:
    """If the service closes the connection at that moment, nginx sends it again on a new one."""
    with scripted(close_on_the_second) as upstream, edge(tmp_path / "edge", upstream.port) as nginx:
        assert on_one_connection(nginx.port, ["POST", method]) == [200, 200]
    assert [request.split()[0].decode() for request in upstream.requests] == ["POST", method, method]


@pytest.mark.parametrize("method", METHODS[3:])
def test_a_request_that_may_have_been_done_is_never_sent_again(tmp_path: Path, method: str) -> None:
    """The response is a 502, and the service received it once: a repeated DELETE would be a 404."""
    with scripted(close_on_the_second) as upstream, edge(tmp_path / "edge", upstream.port, IMPATIENT) as nginx:
        assert on_one_connection(nginx.port, ["GET", method]) == [200, 502]
    assert [request.split()[0].decode() for request in upstream.requests] == ["GET", method]


def test_a_request_that_fails_again_is_sent_twice(tmp_path: Path) -> None:
    """It may be what makes the service fail."""
    with scripted(lambda *_: None) as upstream, edge(tmp_path / "edge", upstream.port, IMPATIENT) as nginx:
        assert ask(nginx.port, "GET", "/items").status == 502
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("method", METHODS)
def test_a_request_waits_for_a_service_that_restarts(tmp_path: Path, method: str) -> None:
    """A client gets no 502. No connection was made, so every method is sent, complete and once."""
    port = free_port()
    with edge(tmp_path / "edge", port) as nginx, ThreadPoolExecutor() as pool:
        pending = pool.submit(ask, nginx.port, method, "/items/1?a=%20b", b'{"name": "Waiting"}')
        wait_until(lambda: nginx.err.read_text().count("Connection refused") > 1, "the second attempt")
        with scripted(lambda *_: OK, port) as upstream:
            response = pending.result(30)
    assert (response.status, response.body) == (200, b"" if method == "HEAD" else b"[]")
    (request,) = upstream.requests
    assert request.startswith(f"{method} /items/1?a=%20b HTTP/1.1\r\n".encode())
    assert request.endswith(b'\r\n\r\n{"name": "Waiting"}')


@pytest.mark.parametrize("method", METHODS)
def test_a_request_goes_to_another_instance(tmp_path: Path, method: str) -> None:
    """One of two instances is down: no request fails."""
    with scripted(lambda *_: OK) as upstream:
        both = [
            ("http.d/upstream.conf", "include local/", f"server 127.0.0.1:{free_port()} max_fails=0;\ninclude local/")
        ]
        with edge(tmp_path / "edge", upstream.port, both) as nginx:
            assert [ask(nginx.port, method, "/items/1", b"{}").status for _ in range(8)] == [200] * 8
        assert "Connection refused" in nginx.err.read_text()
    assert len(upstream.requests) == 8


def instances(port: int, *others: int) -> Edit:
    """Return the edit that lists these instances as in the containers."""
    servers = listed(*(f"127.0.0.1:{each}" for each in (*others, port)))
    return "local/upstream.conf", f"server 127.0.0.1:{port} max_fails=0;\n", servers


def test_an_instance_that_is_gone_is_tried_once(tmp_path: Path) -> None:
    """Two of three are gone, so five requests need seven attempts at most."""
    with (
        scripted(lambda *_: OK) as upstream,
        edge(tmp_path / "edge", upstream.port, [instances(upstream.port, free_port(), free_port())]) as nginx,
    ):
        assert [ask(nginx.port, "PUT", "/items/1", b"{}").status for _ in range(5)] == [200] * 5
        wait_until(lambda: len(nginx.lines()) == 5, "all requests in the log")
        assert sum(len(line["upstream"].split(" : ")) for line in nginx.lines()) <= 7


def test_a_request_waits_for_an_instance_that_has_failed(tmp_path: Path) -> None:
    """Each attempt is made, although the instance has just failed."""
    port = free_port()
    with (
        edge(tmp_path / "edge", port, [instances(port)]) as nginx,
        ThreadPoolExecutor() as pool,
    ):
        pending = [pool.submit(ask, nginx.port, "PUT", "/items/1", b"{}") for _ in range(4)]
        wait_until(lambda: nginx.err.read_text().count("Connection refused") > 8, "the third attempt")
        with scripted(lambda *_: OK, port):
            assert [request.result(30).status for request in pending] == [200] * 4
    assert "no live upstreams" not in nginx.err.read_text()


def test_a_repeated_response_keeps_its_strong_etag(tmp_path: Path) -> None:
    """Compression would make it weak."""
    body = b"x" * 5000
    large = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: "1"\r\nContent-Length: 5000\r\n\r\n' + body
    responses = iter([None, large])
    with scripted(lambda *_: next(responses)) as upstream, edge(tmp_path / "edge", upstream.port) as nginx:
        response = ask(nginx.port, "GET", "/items/1", headers=GZIP)
    assert (response.status, response["ETag"], response.body) == (200, '"1"', body)


def test_a_policy_of_the_service_is_sent_once(tmp_path: Path) -> None:
    """The response has only the service's Content-Security-Policy, and nginx's own versions of the other headers."""
    own = b"Content-Security-Policy: default-src 'self'\r\nX-Frame-Options: SAMEORIGIN\r\nX-Request-Id: own\r\n\r\n"
    response_bytes = OK.replace(b"\r\n\r\n", b"\r\n" + own)
    with scripted(lambda *_: response_bytes) as upstream, edge(tmp_path / "edge", upstream.port) as nginx:
        response = ask(nginx.port, "GET", "/ui/", headers={"X-Request-Id": "mine"})
    names = ("Content-Security-Policy", "X-Frame-Options", "X-Request-Id")
    assert [response.all(name) for name in names] == [["default-src 'self'"], ["DENY"], ["mine"]]


@pytest.mark.parametrize(
    ("path", "policy"), [("/ui/", UI_POLICY), ("/ui", UI_POLICY), ("/uid", API_POLICY), ("/items", API_POLICY)]
)
def test_every_response_has_a_policy(tmp_path: Path, path: str, policy: str) -> None:
    """If the service sends none, nginx sends the default for the path."""
    with scripted(lambda *_: OK) as upstream, edge(tmp_path / "edge", upstream.port) as nginx:
        assert ask(nginx.port, "GET", path).all("Content-Security-Policy") == [policy]


def test_sigquit_finishes_running_requests(tmp_path: Path) -> None:
    """After the signal of `docker stop`, a slow response still arrives, and then nginx exits."""
    asked, may_respond = threading.Event(), threading.Event()

    def slow(*_: Any) -> bytes:
        asked.set()
        may_respond.wait(30)
        return OK

    with scripted(slow) as upstream, edge(tmp_path / "edge", upstream.port) as nginx, ThreadPoolExecutor() as pool:
        pending = pool.submit(ask, nginx.port, "GET", "/items")
        assert asked.wait(30)
        nginx.process.send_signal(signal.SIGQUIT)
        wait_until(lambda: _refuses(nginx.port), "nginx taking no more connections")
        may_respond.set()
        assert (pending.result(30).body, nginx.process.wait(30)) == (b"[]", 0)


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_reload_loses_no_request(tmp_path: Path, app: Running, show: Show) -> None:
    """During five SIGHUPs under load, every response is a 200."""
    done = threading.Event()
    statuses: list[int] = []

    def ask_on(port: int) -> None:
        while not done.is_set():
            statuses.append(ask(port, "GET", "/healthz").status)

    with edge(tmp_path / "edge", app.port) as nginx, ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(ask_on, nginx.port) for _ in range(4)]
        for _ in range(5):
            goal = len(statuses) + 50
            nginx.process.send_signal(signal.SIGHUP)
            wait_until(lambda goal=goal: len(statuses) >= goal or any(c.done() for c in clients), "50 more responses")  # type: ignore[misc]
        done.set()
        for client in clients:
            client.result()
    show(f"nginx reloaded 5 times: {len(statuses)} requests sent, {sum(s != 200 for s in statuses)} lost")
    assert set(statuses) == {200}


# TLS


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory, app: Running) -> Iterator[tuple[Running, int, Path]]:
    """Nginx with servers/tls.conf: (nginx, TLS port, certificate)."""
    with tls_edge(tmp_path_factory.mktemp("tls"), app.port) as running:
        yield running


def over_tls(
    port: int, certificate: Path, version: ssl.TLSVersion, protocols: list[str]
) -> tuple[Response | None, str | None]:
    """Send GET /healthz over this version of TLS; return the response (HTTP/1.1 only) and the negotiated protocol."""
    context = ssl.create_default_context(cafile=str(certificate))
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.set_alpn_protocols(protocols)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        agreed = connection.selected_alpn_protocol()
        if agreed == "h2":
            return None, agreed
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        response = http.client.HTTPResponse(connection)
        response.begin()
        return Response(response.status, tuple(response.getheaders()), response.read()), agreed


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_serves_with_hsts(tls: tuple[Running, int, Path], version: ssl.TLSVersion) -> None:
    """TLS 1.2 and 1.3 work, and browsers are told to keep using TLS."""
    response, _ = over_tls(tls[1], tls[2], version, ["http/1.1"])
    assert response is not None
    assert (response.status, response.body.strip(), response["Strict-Transport-Security"]) == (
        200,
        b'{"status":"ok"}',
        "max-age=63072000",
    )


def test_tls_supports_http_2(tls: tuple[Running, int, Path]) -> None:
    """A client that offers HTTP/2 gets it."""
    assert over_tls(tls[1], tls[2], ssl.TLSVersion.TLSv1_3, ["h2", "http/1.1"]) == (None, "h2")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_1_1_is_refused(tls: tuple[Running, int, Path]) -> None:
    """TLS 1.1 is deprecated (RFC 8996)."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        over_tls(tls[1], tls[2], ssl.TLSVersion.TLSv1_1, ["http/1.1"])


def test_plain_http_on_the_tls_port_is_a_problem(tls: tuple[Running, int, Path]) -> None:
    """Nginx's internal status 497 becomes a 400."""
    assert_problem(ask(tls[1], "GET", "/items"), 400, "Bad Request", MALFORMED)


def test_http_is_redirected_to_https(tls: tuple[Running, int, Path]) -> None:
    """The status is 308, so a POST stays a POST."""
    response = ask(tls[0].port, "POST", "/items?a=b", b"{}", {"Host": "items.example"})
    assert (response.status, response["Location"]) == (308, "https://items.example/items?a=b")
    expected = {"Cache-Control": "no-store", **SECURITY}
    assert {name: response.all(name) for name in expected} == {name: [value] for name, value in expected.items()}
    assert response.all("Strict-Transport-Security") == []


def test_hsts_is_not_sent_without_tls(nginx: Running) -> None:
    """RFC 6797 §7.2 forbids it."""
    assert ask(nginx.port, "GET", "/healthz").all("Strict-Transport-Security") == []

"""The time for a whole body is limited by nginx, over HTTP/1.1 and HTTP/2, however many bytes come meanwhile."""

import contextlib
import select
import socket
import time
from pathlib import Path

import pytest

from tests.e2e import http2
from tests.e2e.stack import LUA, Edit, Running, edge, tls_edge, wait_until
from tests.e2e.test_edge import POST, head

pytestmark = pytest.mark.skipif(not LUA.exists(), reason="nginx has no Lua (apt-get install libnginx-mod-http-lua)")
BODY = b'{"name": "Desk lamp"}'
LENGTH = "Content-Length: 60000"
CHUNKED = "Transfer-Encoding: chunked"


def within(seconds: float) -> Edit:
    """Return the edit that gives a body this time."""
    return "http.d/body-time.conf", "ngx.sleep(60)", f"ngx.sleep({seconds})"


def ended(connection: socket.socket, piece: bytes) -> bool:
    """Send a piece of a body every 100 ms. Return whether the connection was closed, and without a response."""
    connection.settimeout(0.1)
    for _ in range(100):
        with contextlib.suppress(TimeoutError):
            try:
                connection.sendall(piece)
                return connection.recv(100) == b""
            except (ConnectionResetError, BrokenPipeError):
                return True
    return False


@pytest.mark.parametrize(("header", "piece"), [(LENGTH, b" "), (CHUNKED, b"1\r\n \r\n")])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_bytes_do_not_extend_the_time_of_a_body(
    tmp_path: Path, app: Running, method: str, header: str, piece: bytes
) -> None:
    """A byte is sent every 100 ms for up to 10 s. The time is over after one; the log has a 408."""
    line = f"{method} /items HTTP/1.1"
    request = head(line, *POST[1:], "Content-Type: application/json", header, "X-Request-Id: slow")
    with (
        edge(tmp_path / "edge", app.port, [within(1)]) as nginx,
        socket.create_connection(("127.0.0.1", nginx.port)) as connection,
    ):
        connection.sendall(request)
        assert ended(connection, piece)
        logged = nginx.line("slow")
    assert (logged["status"], logged["upstream"]) == (408, "")
    assert logged["duration"] > 0.9


@pytest.mark.parametrize("length", [[(b"content-length", b"60000")], []])
def test_bytes_do_not_extend_the_time_of_a_body_of_http_2(
    tmp_path: Path, app: Running, length: list[tuple[bytes, bytes]]
) -> None:
    """The stream is reset, and the connection can be used again."""
    fields = [*http2.request(method=b"POST"), (b"content-type", b"application/json"), *length]
    with (
        tls_edge(tmp_path, app.port, edits=[within(1)]) as (_, port, certificate),
        http2.connected(port, certificate) as client,
    ):
        number = client.start(fields)
        outcome = client.outcomes[number]

        def trickle() -> bool:
            client.connection.send_data(number, b" ")
            client.flush()
            client.read_what_is_there()
            return outcome.is_done

        wait_until(trickle, "the end of the stream", 10)
        assert (outcome.status, client.is_open) == (0, True)
        assert client.ask(http2.request()).status == 200


def test_a_body_in_pieces_is_served(tmp_path: Path, app: Running) -> None:
    """The connection is kept, and serves when the time of the first body would be over."""
    with (
        edge(tmp_path / "edge", app.port, [within(2)]) as nginx,
        socket.create_connection(("127.0.0.1", nginx.port), timeout=30) as connection,
    ):
        end = time.monotonic() + 3
        connection.sendall(head(*POST, "Content-Type: application/json", f"Content-Length: {len(BODY)}"))
        for byte in BODY:
            connection.sendall(bytes([byte]))
        assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")
        while time.monotonic() < end:
            connection.sendall(head("GET /healthz HTTP/1.1", "Host: a"))
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
            select.select([connection], [], [], 0.01)

"""One client with thousands of slow requests does not keep others out."""

import contextlib
import http.client
import resource
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Edit, Running, edge
from tests.e2e.test_edge import POST, head

SLOW = head(*POST, "Content-Type: application/json", "Content-Length: 60000") + b"{"
ATTACKER, OTHER = "127.0.0.1", "127.0.0.2"
TRUSTED: Edit = ("local/proxies.conf", "#192.0.2.1     1;", f"{ATTACKER} 1;")
MANY, SHARE = 2_100, 512


@pytest.fixture(autouse=True)
def _many_files() -> Iterator[None]:
    """Let this process have enough connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3 * MANY:
        pytest.skip(f"this user may have only {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3 * MANY), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def slow_requests(port: int, number: int) -> Iterator[list[socket.socket]]:
    """Open connections that have each sent the beginning of a body."""
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(number):
            connection = stack.enter_context(socket.create_connection((ATTACKER, port), timeout=30))
            connection.sendall(SLOW)
            connections.append(connection)
        yield connections


def read_as(client: str, port: int) -> int:
    """Return the status of a read by this client, which nginx has served after all requests that came before."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.sock = socket.socket()
    with contextlib.closing(connection):
        connection.sock.settimeout(30)
        connection.sock.bind((client, 0))
        connection.sock.connect(("127.0.0.1", port))
        connection.request("GET", "/items")
        with connection.getresponse() as response:
            return response.status


def refused(connections: list[socket.socket]) -> list[socket.socket]:
    """Return the connections that have a response."""
    poll = select.poll()
    by_number = {connection.fileno(): connection for connection in connections}
    for number in by_number:
        poll.register(number, select.POLLIN)
    return [by_number[number] for number, _ in poll.poll(0)]


def test_others_are_served_during_2100_slow_requests_of_one_client(tmp_path: Path, app: Running) -> None:
    """Most of the slow ones are refused with a 429, and so are other requests of the same client."""
    with edge(tmp_path / "edge", app.port) as nginx, slow_requests(nginx.port, MANY) as connections:
        assert [read_as(OTHER, nginx.port) for _ in range(100)] == [200] * 100
        assert read_as(ATTACKER, nginx.port) == 429
        with_response = refused(connections)
        assert len(with_response) == MANY - SHARE
        assert {connection.recv(12) for connection in with_response} == {b"HTTP/1.1 429"}
    assert "worker_connections are not enough" not in nginx.err.read_text()


def test_a_trusted_proxy_has_no_limit(tmp_path: Path, app: Running) -> None:
    """Its requests are those of many clients."""
    with (
        edge(tmp_path / "edge", app.port, [TRUSTED]) as nginx,
        slow_requests(nginx.port, SHARE + 10) as connections,
    ):
        assert read_as(ATTACKER, nginx.port) == 200
        assert refused(connections) == []

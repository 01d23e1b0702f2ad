"""Requests over HTTP/1.1 that mean different things to careless servers: through nginx, and without it.

Each is refused, or both servers understand it in the same way; tests/e2e/tricks.py says why. After each, the next
request on the same connection to the service gets its own response, and in the end both access logs agree.
"""

import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import SECONDS, Running, ask, edge, post, service, wait_until
from tests.e2e.tricks import TRICKS, Trick

ONE_CONNECTION = ("http.d/upstream.conf", "keepalive 32;", "keepalive 1;")
_numbers = count()


@dataclass(frozen=True)
class Stack:
    """Gunicorn, nginx with a single connection to it, and an item that nobody else reads."""

    app: Running
    nginx: Running
    item: str
    body: bytes

    def read(self) -> str:
        """Read the item through nginx, compare the whole response, and return the id of the request."""
        request_id = f"own-{next(_numbers)}"
        response = ask(self.nginx.port, "GET", self.item, headers={"X-Request-Id": request_id})
        assert (response.status, response["X-Request-Id"], response.body) == (200, request_id, self.body)
        return request_id


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One service for all tricks."""
    folder = tmp_path_factory.mktemp("smuggling")
    with (
        service(folder, LOG_FORMAT="json", WEB_CONCURRENCY="1") as app,
        edge(folder / "edge", app.port, [ONE_CONNECTION]) as nginx,
    ):
        created = post(nginx.port, {"name": "Own"})
        yield Stack(app, nginx, created["Location"], created.body)


def talk(port: int, request: bytes) -> bytes:
    """Send the trick and the probe in one piece, and return all that comes back."""
    probe = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: probe\r\nConnection: close\r\n\r\n"
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(request + probe)
        try:
            while data := connection.recv(65536):
                received += data
        except ConnectionResetError:
            pass  # the server has closed it without reading everything
    return received


def assert_own_response(received: bytes, statuses: tuple[int, ...]) -> None:
    """Assert these statuses, and that the probe has its own response at the end, if it has any."""
    assert tuple(int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)) == statuses, received
    if len(statuses) > 1:
        head, body = received.rsplit(b"\r\n\r\n", 1)
        assert body.strip() == b'{"status":"ok"}'
        assert re.findall(rb"(?im)^x-request-id: (.*)\r$", head)[-1] == b"probe"
    assert b"stolen" not in received.lower().replace(b"/stolen", b"")
    assert not re.search(rb"(?im)^x-injected:", received)


@pytest.mark.parametrize("trick", TRICKS, ids=str)
def test_a_trick_through_nginx(stack: Stack, trick: Trick) -> None:
    """The probe gets its own response or none, and so does the next request on the connection to the service."""
    assert_own_response(talk(stack.nginx.port, trick.request), trick.nginx)
    stack.read()


@pytest.mark.parametrize("trick", TRICKS, ids=str)
def test_a_trick_without_nginx(app: Running, trick: Trick) -> None:
    """Gunicorn does not rely on nginx."""
    assert_own_response(talk(app.port, trick.request), trick.gunicorn)


@pytest.mark.parametrize("trick", TRICKS, ids=str)
def test_a_trick_that_is_not_refused_has_a_reason(trick: Trick) -> None:
    """Why it is harmless."""
    outcomes = [statuses for statuses in (trick.nginx, trick.gunicorn) if len(statuses) != 1]
    assert trick.why or set(outcomes) <= {(404, 200)}


def test_both_logs_agree(stack: Stack) -> None:
    """Every request that nginx has sent to the service is one request there, and no other request is."""
    for trick in TRICKS:
        talk(stack.nginx.port, trick.request)
    last = stack.read()
    logs = stack.app.err, stack.nginx.out
    wait_until(lambda: all(f'"{last}"' in log.read_text() for log in logs), "the last request in both logs")
    sent = [line for line in stack.nginx.lines() if line["upstream_status"]]
    served = [line for line in _access(stack.app.err) if line["path"] != "/readyz"]
    assert len(served) == len(sent) > 100
    # A head that Gunicorn refuses has no request id there.
    first, second = (Counter(line["request_id"] for line in log if line["status"] != 400) for log in (sent, served))
    assert first == second
    assert [line["path"] for line in served if line["path"].startswith("/stolen")] == []


def _access(log: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line for line in lines if line["logger"] == "access"]

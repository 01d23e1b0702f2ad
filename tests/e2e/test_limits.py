"""One client, or one worker that hangs, does not silence the service.

`E2E_SLOW_CLIENTS` is the number of slow connections; the full count is 2000.
"""

import http.client
import os
import signal
import socket
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.e2e.stack import SECONDS, Show, ask, post, service, wait_until, workers

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux: /proc and 127.0.0.2")
SLOW = int(os.environ.get("E2E_SLOW_CLIENTS", "300"))
OPEN_FILES = 256
HEAD = b"POST /items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n"


def test_the_slow_connections_of_one_ip_silence_nobody(tmp_path: Path, show: Show) -> None:
    """It has a number of them, further ones are a 429, silent ones a 408, and all reads of others succeed."""
    per_ip = SLOW // 6
    with (
        service(tmp_path, CONNECTIONS_PER_IP=str(per_ip), FORWARDED_ALLOW_IPS="192.0.2.1") as gunicorn,
        ExitStack() as stack,
    ):
        slow = []
        for _ in range(SLOW):
            connection = socket.create_connection(("127.0.0.1", gunicorn.port), SECONDS, ("127.0.0.2", 0))
            slow.append(stack.enter_context(connection))
            connection.sendall(HEAD)
        assert [ask(gunicorn.port, "GET", "/items").status for _ in range(100)] == [200] * 100
        outcomes = Counter(_outcome(connection) for connection in slow)
        show(f"{SLOW} slow connections, outcomes {dict(outcomes)}; 100 of 100 reads of others succeeded")
        assert outcomes["open"] <= 2 * per_ip
        assert outcomes["429"] > 0


def _outcome(connection: socket.socket) -> str:
    """Return the status of the response, `open` without one, `reset` if the service has dropped it."""
    connection.settimeout(0)
    try:
        return connection.recv(12).decode()[9:]
    except BlockingIOError:
        return "open"
    except OSError:
        return "reset"


def test_many_clients_together_silence_nobody(tmp_path: Path) -> None:
    """Each has its own IP address and few connections. The worker has fewer open files than they have connections."""
    limit = f"--nofile={OPEN_FILES}:{OPEN_FILES}"
    with (
        service(tmp_path, prefix=("prlimit", limit), WEB_CONCURRENCY="1") as gunicorn,
        closing(http.client.HTTPConnection("127.0.0.1", gunicorn.port, timeout=SECONDS)) as kept,
        ExitStack() as stack,
    ):
        slow = []
        for number in range(2 * OPEN_FILES):
            client = f"127.0.{1 + number // 100}.{1 + number % 100}"
            connection = socket.create_connection(("127.0.0.1", gunicorn.port), SECONDS, (client, 0))
            slow.append(stack.enter_context(connection))
            connection.sendall(HEAD)
            if number % 10 == 0:
                kept.request("GET", "/items")
                assert kept.getresponse().read() == b"[]\n"
                assert ask(gunicorn.port, "GET", "/healthz").status == 200
        (worker,) = workers(gunicorn)
        open_files = len(list(Path(f"/proc/{worker}/fd").iterdir()))
        assert post(gunicorn.port, {"name": "Served"}).status == 201
        outcomes = Counter(_outcome(connection) for connection in slow)
    print(f"{len(slow)} slow connections, {open_files} open files of {OPEN_FILES}, outcomes {dict(outcomes)}")
    assert open_files < OPEN_FILES
    assert outcomes["408"] + outcomes["reset"] > OPEN_FILES
    assert "Too many open files" not in gunicorn.err.read_text()


def test_a_worker_that_hangs_delays_no_new_connection(tmp_path: Path) -> None:
    """The other one accepts them all. Those of the first end when it is killed, after `timeout`."""
    with (
        service(tmp_path, GUNICORN_CMD_ARGS="--timeout=4", FORWARDED_ALLOW_IPS="192.0.2.1") as gunicorn,
        ExitStack() as stack,
    ):
        kept = [http.client.HTTPConnection("127.0.0.1", gunicorn.port, timeout=SECONDS) for _ in range(20)]
        for connection in kept:
            stack.callback(connection.close)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        wait_until(lambda: len(workers(gunicorn)) == 2, "two workers")
        hung = min(workers(gunicorn))
        os.kill(hung, signal.SIGSTOP)
        assert [ask(gunicorn.port, "GET", "/healthz").status for _ in range(20)] == [200] * 20
        assert Path(f"/proc/{hung}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        print(f"{sum(map(_is_lost, kept))} of {len(kept)} connections ended with the worker that hung")
        wait_until(lambda: len(workers(gunicorn)) == 2 and hung not in workers(gunicorn), "another worker")


def _is_lost(connection: http.client.HTTPConnection) -> bool:
    """Use a connection; it ends if its worker is killed."""
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status != 200
    except (http.client.HTTPException, ConnectionError):
        return True


def test_a_request_that_never_ends_is_a_408(tmp_path: Path) -> None:
    """After 15 seconds."""
    request = b"GET /items HTTP/1.1\r\nX-A: "
    with (
        service(tmp_path, FORWARDED_ALLOW_IPS="192.0.2.1") as gunicorn,
        socket.create_connection(("127.0.0.1", gunicorn.port)) as client,
    ):
        client.settimeout(SECONDS)
        client.sendall(request)
        response = b"".join(iter(lambda: client.recv(65536), b""))
    assert response.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"application/problem+json" in response

"""The real Gunicorn drains, reloads, replaces killed workers, and loses no acknowledged write."""

import http.client
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from itertools import takewhile
from pathlib import Path

import pytest

from app.security_headers import HEADERS
from app.settings import ROOT
from tests.e2e.load import created, finish, load, total
from tests.e2e.stack import (
    SECONDS,
    Response,
    Running,
    ask,
    edge,
    free_port,
    kill_service,
    post,
    send,
    service,
    wait_until,
    workers,
)

JSON_POST = b"POST /items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def _stored(folder: Path) -> set[int]:
    with closing(sqlite3.connect(folder / "items.db")) as connection:
        return {item_id for (item_id,) in connection.execute("SELECT id FROM items")}


def test_sigterm_drains_a_running_request(tmp_path: Path) -> None:
    """A write that waits for the database when SIGTERM arrives still succeeds."""
    responses: list[Response] = []
    with service(tmp_path) as gunicorn:
        with closing(sqlite3.connect(tmp_path / "items.db", isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            client = threading.Thread(target=lambda: responses.append(post(gunicorn.port, {"name": "late"})))
            client.start()
            wait_until(lambda: _open_connections(gunicorn.port) > 0, "the running request")
            gunicorn.process.send_signal(signal.SIGTERM)
            log = gunicorn.err
            wait_until(lambda: "Handling signal: term" in log.read_text(), "SIGTERM taken")
            holder.execute("COMMIT")
        client.join()
        assert gunicorn.process.wait(30) == 0
    assert [response.status for response in responses] == [201]
    assert _stored(tmp_path) == {responses[0].json()["id"]}


def _open_connections(port: int) -> int:
    """Return the number of established connections to this port, from /proc/net/tcp (proc(5))."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def test_sigterm_under_load_loses_no_request(tmp_path: Path) -> None:
    """Every request that was sent gets its response, and later connections are refused."""
    with service(tmp_path, ACCESS_LOG="off") as gunicorn, load(gunicorn.port) as writers:
        wait_until(lambda: created(writers) > 200, "200 items written")
        gunicorn.process.send_signal(signal.SIGTERM)
        assert gunicorn.process.wait(30) == 0
        finish(writers)
        tally = total(writers)
    assert not tally.lost
    assert not tally.other
    assert set(tally.created) == _stored(tmp_path)


def test_sighup_under_load_replaces_all_workers_and_loses_nothing(tmp_path: Path) -> None:
    """After each of three reloads the workers are new; every request is a 201, and no connection is refused."""
    with service(tmp_path, ACCESS_LOG="off") as gunicorn, load(gunicorn.port) as writers:
        for round_ in range(1, 4):
            before = workers(gunicorn)
            count = created(writers)
            gunicorn.process.send_signal(signal.SIGHUP)
            wait_until(
                lambda old=before: len(workers(gunicorn)) == 2 and not old & workers(gunicorn),  # type: ignore[misc]
                f"reload {round_} done",
            )
            wait_until(lambda least=count + 50: created(writers) > least, "50 more items written")  # type: ignore[misc]
        finish(writers)
        tally = total(writers)
    assert (tally.lost, tally.other, tally.refused) == ([], [], 0)
    assert set(tally.created) == _stored(tmp_path)


def test_a_killed_worker_is_replaced_and_no_acknowledged_write_is_lost(tmp_path: Path) -> None:
    """After `kill -9` of both workers, new ones start, and every acknowledged item is in the database."""
    with service(tmp_path, ACCESS_LOG="off") as gunicorn, load(gunicorn.port) as writers:
        wait_until(lambda: created(writers) > 100, "100 items written")
        before = workers(gunicorn)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(workers(gunicorn) - before) == 2, "two other workers")
        count = created(writers)
        wait_until(lambda: created(writers) > count + 100, "100 more items written")
        finish(writers)
        tally = total(writers)
    assert not tally.other
    assert set(tally.created) <= _stored(tmp_path)


def test_killing_the_whole_service_loses_no_acknowledged_write(tmp_path: Path) -> None:
    """After `kill -9` of all processes and a new start, every acknowledged item can be read."""
    with service(tmp_path, ACCESS_LOG="off") as gunicorn, load(gunicorn.port) as writers:
        wait_until(lambda: created(writers) > 100, "100 items written")
        kill_service(gunicorn)
        finish(writers)
        tally = total(writers)
    with service(tmp_path) as gunicorn:
        last = max(tally.created)
        assert ask(gunicorn.port, "GET", f"/items/{last}").json()["name"] == "under load"
    assert set(tally.created) <= _stored(tmp_path)


def test_an_idle_connection_does_not_delay_the_shutdown(tmp_path: Path) -> None:
    """SIGTERM does not wait for a client that keeps its connection open, as nginx does."""
    with service(tmp_path) as gunicorn:
        connection = http.client.HTTPConnection("127.0.0.1", gunicorn.port)
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        start = time.monotonic()
        gunicorn.process.send_signal(signal.SIGTERM)
        assert gunicorn.process.wait(25) == 0
        print(f"ended after {time.monotonic() - start:.1f} s")
        connection.close()


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT", "SIGQUIT"])
def test_a_starting_worker_does_not_delay_the_shutdown(tmp_path: Path, number: str) -> None:
    """A signal also ends a worker between its fork and its own signal handlers."""
    settings = tmp_path / "gunicorn.conf.py"
    settings.write_text(f"""
exec(open({str(ROOT / "gunicorn.conf.py")!r}).read())
import os, time
after_fork = post_fork

def post_fork(server, worker):
    os.kill(os.getppid(), signal.{number})
    while server.SIG_QUEUE.empty():  # until the main process has passed it on
        time.sleep(0.01)
    after_fork(server, worker)
""")
    environment = {**os.environ, "PORT": str(free_port()), "DATABASE_URL": f"sqlite:///{tmp_path}/items.db"}
    command = [sys.executable, "-m", "gunicorn", "--config", str(settings), "app:app"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=25, check=False)
    assert done.returncode == 0, done.stderr


def test_eight_workers_create_the_database_once(tmp_path: Path) -> None:
    """All workers start at the same time without a database, and all of them serve."""
    with service(tmp_path, WEB_CONCURRENCY="8") as gunicorn:
        wait_until(lambda: len(workers(gunicorn)) == 8, "eight workers")
        assert {ask(gunicorn.port, "GET", "/items").body for _ in range(40)} == {b"[]\n"}
        assert "Traceback" not in gunicorn.err.read_text()


@pytest.mark.parametrize(
    ("request_bytes", "status", "detail"),
    [
        (b"GET /items HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", 400, "Content-Length"),
        (b"GET /items HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "Content-Length"),
        (
            b"POST /items HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            400,
            "Content-Length",
        ),
        (b"GARBAGE\r\n\r\n", 400, "not valid HTTP"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "Shorten it"),
        (b"GET /items HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 9000 + b"\r\n\r\n", 431, "Send fewer or shorter"),
        (b"GET /items HTTP/1.1\r\nHost: x\r\n" + b"X-Many: a\r\n" * 100 + b"\r\n", 431, "Send fewer or shorter"),
        (b"POST /items HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "not valid HTTP"),
        (b"POST /items HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "chunked"),
        (b"GET /items HTTP/1.1\r\n\r\n", 400, "Host is missing"),
        (b"GET /items HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400, "Duplicate Host"),
        (b"GET /items HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\n\r\n", 400, "not valid HTTP"),
        (JSON_POST + b"Content-Length: 18446744073709551629\r\n\r\n" + b'{"name": "a"}', 413, "65536 bytes"),
    ],
)
def test_invalid_http_gets_a_problem(gunicorn: Running, request_bytes: bytes, status: int, detail: str) -> None:
    """The server's own errors have the same format as all others, and a request id."""
    response = send(gunicorn.port, request_bytes)
    assert (response.status, response["Content-Type"]) == (status, "application/problem+json")
    assert response.json()["status"] == status
    assert detail in response.json()["detail"]
    assert response["X-Request-Id"]


def test_a_head_that_does_not_end_is_not_stored(gunicorn: Running) -> None:
    """The service refuses it after some kilobytes, and reads no more: 100 MiB would need no second."""
    head = b"GET /" + b"a" * (100 << 20)
    with (
        socket.create_connection(("127.0.0.1", gunicorn.port), timeout=SECONDS) as connection,
        pytest.raises(OSError, match=r"reset|Broken pipe"),
    ):
        connection.sendall(head)


def test_a_client_may_close_its_sending_side(gunicorn: Running) -> None:
    """After a whole request it gets the response (RFC 9112 §9.6)."""
    with socket.create_connection(("127.0.0.1", gunicorn.port), timeout=SECONDS) as connection:
        connection.sendall(JSON_POST + b'Content-Length: 13\r\n\r\n{"name": "a"}')
        connection.shutdown(socket.SHUT_WR)
        response = b"".join(iter(lambda: connection.recv(65536), b""))
    assert response.startswith(b"HTTP/1.1 201 Created\r\n")
    assert b"\r\nConnection: close\r\n" in response


@pytest.mark.parametrize("path", ["/items", "/items/x", "/ui/", "/nope", "/bad?\xff"])
def test_every_response_has_the_security_headers_once(gunicorn: Running, tmp_path: Path, path: str) -> None:
    """With nginx and without, from the contract's operations, pages and the server."""
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode("latin-1")
    with edge(tmp_path, gunicorn.port) as nginx:
        for port in (gunicorn.port, nginx.port):
            response = send(port, request)
            policy = response["Content-Security-Policy"]
            assert policy == HEADERS["Content-Security-Policy"] or path == "/ui/"
            assert {name: response[name] for name in HEADERS} == {**HEADERS, "Content-Security-Policy": policy}


def test_other_hosts_are_not_served(tmp_path: Path) -> None:
    """ALLOWED_HOSTS protects from DNS rebinding. Health checks use IP addresses."""
    with service(tmp_path, ALLOWED_HOSTS="example.com, .example.org") as gunicorn:
        statuses = {
            host: ask(gunicorn.port, "GET", "/items", headers={"Host": host}).status
            for host in ("example.com", "api.example.org:80", f"127.0.0.1:{gunicorn.port}", "evil.example")
        }
    assert list(statuses.values()) == [200, 200, 200, 421]


def test_content_length_ends_the_body(gunicorn: Running) -> None:
    """A truncated JSON body is a 400, and the remaining bytes are the next request."""
    head = b"POST /items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 8\r\n"
    response = send(gunicorn.port, head + b"Connection: close\r\n\r\n" + b'{"name": "cut"}', method="POST")
    assert (response.status, response["Content-Type"]) == (400, "application/problem+json")
    assert response.json()["errors"][0]["pointer"] == ""


def test_upgrade_is_ignored(gunicorn: Running) -> None:
    """There are no WebSockets, so the request is served without an upgrade (RFC 9110 §7.8)."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "eA==",
    }
    response = ask(gunicorn.port, "GET", "/healthz", headers=headers)
    assert (response.status, response.json()) == (200, {"status": "ok"})


def test_the_log_has_every_request_with_its_id(gunicorn: Running) -> None:
    """The client's request id is in the response and in the log."""
    ask(gunicorn.port, "GET", "/healthz", headers={"X-Request-Id": "find-me-in-the-log"})
    wait_until(lambda: "[find-me-in-the-log]" in gunicorn.err.read_text() + gunicorn.out.read_text(), "it in the log")


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory: pytest.TempPathFactory) -> object:
    """One service for the tests that do not change it."""
    with service(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"PORT": "http"}, "PORT must be a whole number from 0 to 65535; it is 'http'"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL must be"),
        ({"DATABASE_URL": "sqlite:////proc/none/items.db"}, "The database file /proc/none/items.db cannot be used"),
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "The database postgresql://nobody@127.0.0.1:1/none"),
    ],
)
def test_a_start_that_cannot_succeed_ends_with_one_message(settings: dict[str, str], message: str) -> None:
    """There is no traceback and no restart loop; the message names the fault, and the exit status is not 0."""
    done = _start(settings, ROOT)
    assert done.returncode != 0
    assert done.stderr.count(message) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT], ids=lambda number: number.name)
def test_after_a_stop_there_is_one_database_file(number: signal.Signals, tmp_path: Path) -> None:
    """`items.db` alone has everything, whether the workers finish their requests or stop at once."""
    with service(tmp_path, WEB_CONCURRENCY="3") as gunicorn:
        created = {post(gunicorn.port, {"name": "kept"}).json()["id"] for _ in range(10)}
        assert (tmp_path / "items.db-wal").exists()
        gunicorn.process.send_signal(number)
        assert gunicorn.process.wait(30) == 0
    assert {path.name for path in tmp_path.glob("items*")} == {"items.db"}
    assert _stored(tmp_path) == created


def test_the_command_line_leaves_one_database_file(tmp_path: Path) -> None:
    """Flask's shell, which uses the application without a server."""
    script = (
        "import flask; from handlers.database import database; db = database(); db.create()\n"
        "import sqlalchemy; add = db.write(); connection = add.__enter__()\n"
        "connection.execute(sqlalchemy.text('CREATE TABLE other (x)')); add.__exit__(None, None, None)\n"
    )
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/items.db"}
    command = [sys.executable, "-m", "flask", "--app", "app", "shell"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, input=script, capture_output=True, text=True, timeout=60, check=True
    )
    assert "Error" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"items.db"}


def test_make_run_ends_its_welcome_with_how_to_stop_and_does_so(tmp_path: Path) -> None:
    """The block is printed once, with the real port, and Ctrl-C leaves one database file."""
    port = free_port()
    environment = {**os.environ, "PORT": str(port), "DATABASE_URL": f"sqlite:///{tmp_path}/items.db"}
    command = ["make", "run", "-o", ".venv/runtime", f"BIN={Path(sys.executable).parent}"]
    with subprocess.Popen(  # a process group of its own, because Ctrl-C is sent to all of a group
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        block = list(takewhile(lambda line: "To stop" not in line, iter(process.stderr.readline, "")))
        wait_until(lambda: ask(port, "GET", "/readyz").status == 200, "the service ready")
        post(port, {"name": "kept"})
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stderr.read()
    start = block.index("  The service is ready.\n")
    assert block[start + 2 :] == [
        f"  API            http://127.0.0.1:{port}/\n",
        f"  Documentation  http://127.0.0.1:{port}/ui/\n",
        f"  Database       {tmp_path}/items.db\n",
    ]
    assert "The service is ready" not in rest
    assert "Traceback" not in rest
    assert {path.name for path in tmp_path.iterdir()} == {"items.db"}
    assert len(_stored(tmp_path)) == 1


def test_sigusr2_starts_the_same_command_again(tmp_path: Path) -> None:
    """Gunicorn replaces itself: the new main process takes the port over, although it is in use."""
    pid_file = tmp_path / "pid"
    with service(tmp_path, GUNICORN_CMD_ARGS=f"--pid={pid_file}") as gunicorn:
        os.kill(gunicorn.process.pid, signal.SIGUSR2)
        replacement = tmp_path / "pid.2"
        wait_until(lambda: replacement.exists() and replacement.read_text().strip() != "", "another main process")
        pid = int(replacement.read_text())
        children = Path(f"/proc/{pid}/task/{pid}/children")
        wait_until(lambda: len(children.read_text().split()) == 2, "its workers")
        os.kill(gunicorn.process.pid, signal.SIGTERM)
        assert gunicorn.process.wait(30) == 0
        assert post(gunicorn.port, {"name": "kept"}).status == 201
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the end of the other")
    assert {path.name for path in tmp_path.glob("items*")} == {"items.db"}


def test_a_contract_without_its_handler_stops_the_start(tmp_path: Path) -> None:
    """The contract and the handlers differ in two ways, and one message lists both."""
    checkout = _copy(tmp_path)
    handlers = checkout / "handlers" / "items.py"
    handlers.write_text(handlers.read_text().replace("def delete_item(", "def remove_item("))
    done = _start({"DATABASE_URL": f"sqlite:///{tmp_path}/items.db"}, checkout)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "delete_item (DELETE /items/{item_id}) has no handler: handlers.items.delete_item" in done.stderr
    assert "handlers.items.remove_item is no handler: no operation" in done.stderr


def _copy(folder: Path) -> Path:
    checkout = folder / "checkout"
    for name in ("app", "contract", "db", "handlers", "openapi"):
        shutil.copytree(ROOT / name, checkout / name)
    shutil.copytree(ROOT / "docs", checkout / "docs", ignore=shutil.ignore_patterns("*.png"))
    shutil.copy(ROOT / "gunicorn.conf.py", checkout)
    return checkout


def _start(settings: dict[str, str], checkout: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PORT": "0", **settings}
    command = [sys.executable, "-m", "app"]
    return subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=60, check=False
    )

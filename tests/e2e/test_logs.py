"""The logs of the real service: every request has its line, whoever the client is and whether or not anyone reads."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from app.settings import ROOT
from tests.e2e.load import created, finish, load, total
from tests.e2e.stack import Running, ask, free_port, send, service, wait_until

HOST = b"Host: x\r\nConnection: close\r\n"


def _events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def _requests(text: str) -> list[dict[str, Any]]:
    return [event for event in _events(text) if event["logger"] == "access"]


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service that logs JSON."""
    with service(tmp_path_factory.mktemp("logs"), LOG_FORMAT="json") as running:
        yield running


def _line(gunicorn: Running, path: str) -> dict[str, Any]:
    """Wait for the line of the only request with this path."""
    log = gunicorn.err
    wait_until(lambda: f'"path":"{path}' in log.read_text(encoding="ascii"), f"{path} in the log")
    (line,) = (line for line in _requests(log.read_text(encoding="ascii")) if line["path"].startswith(path))
    return line


def test_a_request_is_logged_with_all_fields(gunicorn: Running) -> None:
    """The request id is that of the response."""
    response = ask(gunicorn.port, "GET", "/items?limit=7")
    line = _line(gunicorn, "/items?limit=7")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("time"))
    assert 0 < line.pop("duration") < 10
    assert line == {
        "level": "info",
        "logger": "access",
        "request_id": response["X-Request-Id"],
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/items?limit=7",
        "status": 200,
        "bytes": len(response.body),
    }


def test_the_client_is_the_one_that_a_trusted_proxy_names(gunicorn: Running) -> None:
    """In front of the service there is usually nginx. A client's own list comes before what the proxy adds."""
    ask(gunicorn.port, "GET", "/items?name=proxied", headers={"X-Forwarded-For": "192.0.2.1, 2001:db8::1"})
    assert _line(gunicorn, "/items?name=proxied")["client"] == "2001:db8::1"


@pytest.mark.parametrize(
    ("method", "path", "status", "size"), [("HEAD", "/items", 200, 0), ("TRACE", "/items", 405, None)]
)
def test_bytes_are_those_of_the_body_that_was_sent(
    gunicorn: Running, method: str, path: str, status: int, size: int | None
) -> None:
    """HEAD has none."""
    response = ask(gunicorn.port, method, f"{path}?name={method}")
    line = _line(gunicorn, f"{path}?name={method}")
    assert (line["method"], line["status"]) == (method, status)
    assert line["bytes"] == (len(response.body) if size is None else size)


def test_raw_bytes_cannot_break_or_forge_a_line(gunicorn: Running) -> None:
    """What is not ASCII is not valid HTTP; the rest is percent-encoded."""
    assert send(gunicorn.port, b"GET /raw?\xff\xc2\x9b HTTP/1.1\r\n" + HOST + b"\r\n").status == 400
    send(gunicorn.port, b'GET /quotes?"\\ HTTP/1.1\r\n' + HOST + b"\r\n")
    assert _line(gunicorn, "/quotes")["path"] == "/quotes?%22%5C"


def test_a_client_that_goes_away_is_logged_as_such(gunicorn: Running) -> None:
    """The status is 499, as nginx logs it, and the error log has nothing."""
    head = b"POST /items?name=away HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gunicorn.port)) as connection:
        connection.sendall(head + b'{"name"')
    line = _line(gunicorn, "/items?name=away")
    assert (line["status"], line["bytes"]) == (499, 0)
    assert re.fullmatch("[0-9a-f]{32}", line["request_id"])
    assert [event for event in _events(gunicorn.err.read_text()) if event["level"] not in ("info", "debug")] == []


@pytest.mark.parametrize(
    ("request_bytes", "method", "path", "status"),
    [
        (b"GARBAGE\r\n\r\n", "", "", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", "", "", 414),
        (b"POST /chunks HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "POST", "/chunks", 400),
    ],
)
def test_invalid_http_is_logged(gunicorn: Running, request_bytes: bytes, method: str, path: str, status: int) -> None:
    """The application never gets it. The line has the request id of the response."""
    response = send(gunicorn.port, request_bytes)
    id_ = response["X-Request-Id"]
    wait_until(lambda: id_ in gunicorn.err.read_text(), "the request id in the log")
    (line,) = (line for line in _requests(gunicorn.err.read_text()) if line["request_id"] == id_)
    assert (response.status, line["status"], line["bytes"]) == (status, status, len(response.body))
    assert (line["method"], line["path"], line["client"]) == (method, path, "127.0.0.1")


def test_every_line_of_a_service_is_json(tmp_path: Path) -> None:
    """From its start to its end, and when it cannot start."""
    with service(tmp_path, LOG_FORMAT="json", LOG_LEVEL="debug") as gunicorn:
        ask(gunicorn.port, "GET", "/items")
    names = {event["logger"] for event in _events(gunicorn.err.read_text(encoding="ascii"))}
    assert names >= {"access", "server", "worker"}
    assert gunicorn.out.read_text() == ""


@pytest.mark.parametrize(
    "settings", [{"LOG_LEVEL": "loud"}, {"WEB_CONCURRENCY": "two"}, {"DATABASE_URL": "sqlite:////proc/none/items.db"}]
)
def test_a_start_that_fails_is_logged_as_json(settings: dict[str, str]) -> None:
    """The message is one event."""
    environment = {**os.environ, "PORT": "0", "LOG_FORMAT": "json", **settings}
    command = [sys.executable, "-m", "app"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    events = [event for event in _events(done.stdout + done.stderr) if event["level"] == "error"]
    assert done.returncode != 0
    assert len(events) == 1
    assert events[0]["message"].startswith("The service cannot start.")


def test_lines_on_a_terminal_are_coloured(tmp_path: Path) -> None:
    """They are text, each with the name of what it is about."""
    main, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "PORT": "0", "DATABASE_URL": f"sqlite:///{tmp_path}/items.db"}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "app"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=terminal)
    os.close(terminal)
    text = b""
    while b"ASGI server listening" not in text:
        text += os.read(main, 65536)
    process.terminate()
    with suppress(OSError):  # no program has the terminal any more
        while True:
            text += os.read(main, 65536)
    os.close(main)
    assert process.wait(30) == 0
    lines = text.decode().splitlines()
    assert re.match(
        r"\x1b\[2m\d{4}-\S+ \S+\x1b\[0m \x1b\[32mINFO\x1b\[0m \x1b\[36mserver\x1b\[0m Starting gunicorn", lines[0]
    )
    assert any("\x1b[36mworker\x1b[0m ASGI server listening on" in line for line in lines)


@contextmanager
def _piped(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """Run the service with a pipe as its standard error: the process, its port, and the end to read."""
    read, write = os.pipe()
    port = free_port()
    database = f"sqlite:///{folder}/items.db"
    environment = {**os.environ, "PORT": str(port), "LOG_FORMAT": "json", "DATABASE_URL": database}
    command = [sys.executable, "-m", "app"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=write)
    os.close(write)
    try:
        wait_until(lambda: _is_ready(port), "the service ready")
        yield process, port, read
    finally:
        process.kill()
        process.wait()
        os.close(read)


def _is_ready(port: int) -> bool:
    with suppress(OSError):
        return ask(port, "GET", "/readyz").status == 200
    return False


def _read_all(descriptor: int) -> str:
    text = b""
    while piece := os.read(descriptor, 65536):
        text += piece
    return text.decode("ascii")


def _ask_often(port: int, number: int) -> None:
    """Send requests with long paths on eight connections, so that the log fills the pipe and the memory for it."""
    path = "/items?name=" + "x" * 1400
    request = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode()

    def client(_: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            file = connection.makefile("rb")
            for _ in range(number // 8):
                connection.sendall(request)
                assert file.readline().startswith(b"HTTP/1.1 400 ")
                length = 0
                while (line := file.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                file.read(length)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(client, range(8)))


def test_a_service_whose_log_nobody_reads_goes_on(tmp_path: Path) -> None:
    """Once it is read, the log has the lines that were kept, and the number of those that were not."""
    sent = 4000
    with _piped(tmp_path) as (process, port, read):
        _ask_often(port, sent)
        process.send_signal(signal.SIGTERM)
        events = _events(_read_all(read))
        assert process.wait(30) == 0
    requests = [event for event in events if event["logger"] == "access" and len(event["path"]) > 1000]
    reports = [event["message"] for event in events if event["logger"] == "log"]
    dropped = sum(int(report.split()[0]) for report in reports)
    assert dropped > 0
    assert all(report.endswith(" lines were dropped, because nobody read the log") for report in reports)
    assert len(requests) + dropped == sent


def test_a_service_whose_log_nobody_reads_can_be_stopped(tmp_path: Path) -> None:
    """It gives up the lines."""
    with _piped(tmp_path) as (process, port, _):
        _ask_often(port, 400)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_stopping_and_reloading_lose_no_line(tmp_path: Path, how: signal.Signals) -> None:
    """Under load there are as many lines as responses."""
    text: list[str] = []
    with _piped(tmp_path) as (process, port, read):
        reader = threading.Thread(target=lambda: text.append(_read_all(read)))
        reader.start()
        with load(port) as writers:
            wait_until(lambda: created(writers) > 200, "200 items written")
            process.send_signal(how)
            if how is signal.SIGTERM:
                assert process.wait(30) == 0
            else:
                goal = created(writers) + 300
                wait_until(lambda: created(writers) > goal, "300 more items written")
            finish(writers)
            tally = total(writers)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        reader.join()
    logged = [event for event in _requests(text[0]) if event["method"] == "POST"]
    assert not tally.lost
    assert [event["status"] for event in logged] == [201] * len(tally.created)

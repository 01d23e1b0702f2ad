"""The access log: what a line has, what it cannot contain, and when it is written."""

import asyncio
import json
import os
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from app.access_log import _BATCH, AccessLog
from app.log_formats import MAX_PATH, JsonFormatter, Served, TextFormatter, safe
from app.log_writer import MAX_LINE, LineWriter

REQUEST: Served = (1700000000.25, "r1", "127.0.0.1", "GET", "/items?limit=1", 200, 123, 0.00055, "list_items", "")
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


def test_a_line_of_text() -> None:
    """Time, level, name and request id are those of all lines."""
    line = TextFormatter(colourful=False).access(REQUEST)
    assert re.fullmatch(
        r"2023-11-1\d \d\d:\d\d:20\.250 INFO access \[r1\] 127\.0\.0\.1 GET /items\?limit=1 200 123 bytes 0\.6 ms\n",
        line,
    )


@pytest.mark.parametrize(("status", "colour"), [(204, 32), (304, 36), (404, 33), (500, 31), (101, 2)])
def test_the_status_is_coloured(status: int, colour: int) -> None:
    """Each class of statuses has its colour."""
    line = TextFormatter(colourful=True).access((*REQUEST[:5], status, 0, 0.1, "-", ""))
    assert f" \x1b[{colour}m{status}\x1b[0m 0 bytes 100.0 ms\n" in line


def test_a_line_of_json() -> None:
    """The duration is in seconds."""
    assert json.loads(JsonFormatter().access(REQUEST)) == {
        "time": "2023-11-14T22:13:20.250+00:00",
        "level": "info",
        "logger": "access",
        "request_id": "r1",
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/items?limit=1",
        "status": 200,
        "bytes": 123,
        "duration": 0.00055,
    }


def test_text_of_clients_is_printable_ascii() -> None:
    """Everything else is percent-encoded, and so are quotes and backslashes; the rest is unchanged."""
    every = "".join(map(chr, range(256)))
    expected = "".join(c if c in PRINTABLE and c not in '"\\' else f"%{ord(c):02X}" for c in every)
    assert safe(every) == expected
    assert safe("/items/1?sort=-name&limit=5%20") == "/items/1?sort=-name&limit=5%20"


@pytest.mark.parametrize("character", [*map(chr, range(256)), "é\n"])
@pytest.mark.parametrize("line_of", [TextFormatter(colourful=False).access, JsonFormatter().access])
def test_no_text_of_a_client_forges_or_breaks_a_line(line_of: Callable[[Served], str], character: str) -> None:
    """Whatever the client, the method and the path contain, there is one line of printable ASCII."""
    hostile = f"{character}x{character}" * 3000
    line = line_of((0.0, "r1", f"{character}1", f"G{character}", hostile, 200, 0, 0.0, "-", ""))
    assert (line[:-1].isascii(), line[:-1].isprintable(), line[-1]) == (True, True, "\n")
    assert len(line) < MAX_LINE
    if line.startswith("{"):
        assert len(json.loads(line)["path"]) <= MAX_PATH + 3


def test_texts_that_are_missing_are_dashes() -> None:
    """A request that is not HTTP has no method and no path."""
    line = TextFormatter(colourful=False).access((0.0, "r1", "", "", "", 400, 9, 0.0, "-", ""))
    assert " [r1] - - - 400 9 bytes 0.0 ms\n" in line


class _Loop:
    """Records the timers instead of running them."""

    def __init__(self) -> None:
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Any:
        """Record a timer."""
        timer = (seconds, callback)
        self.timers.append(timer)
        return SimpleNamespace(cancel=lambda: self.timers.remove(timer))


def _log() -> tuple[AccessLog, _Loop, int]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    loop: Any = _Loop()
    log = AccessLog(LineWriter(write, str), lambda request: f"{request[4]}\n", loop)
    os.close(write)
    return log, loop, read


def _add(log: AccessLog, path: str) -> None:
    log.put((*REQUEST[:4], path, *REQUEST[5:]))


def test_requests_are_written_every_tenth_of_a_second() -> None:
    """The first request starts the only timer."""
    log, loop, read = _log()
    _add(log, "/a")
    _add(log, "/b")
    ((seconds, callback),) = loop.timers
    assert seconds == 0.1
    with pytest.raises(BlockingIOError):
        os.read(read, 100)
    callback()
    assert (os.read(read, 100), loop.timers) == (b"/a\n/b\n", [])
    os.close(read)


def test_many_requests_do_not_wait_for_the_timer() -> None:
    """They would not fit in the pipe."""
    log, loop, read = _log()
    path = f"/{'a' * 1000}"
    for _ in range(_BATCH * 2):
        _add(log, path)
    assert (os.read(read, 1 << 20), loop.timers) == (f"{path}\n".encode() * _BATCH * 2, [])
    os.close(read)


def test_a_full_pipe_is_tried_again() -> None:
    """The worker goes on until it is read."""
    log, loop, read = _log()
    for _ in range(40_000):
        _add(log, "/a")
    assert [seconds for seconds, _ in loop.timers] == [0.02]
    text = b""
    while loop.timers:
        text += os.read(read, 65536)
        loop.timers[0][1]()
    text += os.read(read, 65536)
    assert text == b"/a\n" * 40_000
    os.close(read)


def test_the_log_works_on_an_event_loop() -> None:
    """A line is there soon after the request."""
    read, write = os.pipe()

    async def serve() -> bytes:
        log = AccessLog(LineWriter(write, str), lambda request: f"{request[4]}\n", asyncio.get_running_loop())
        _add(log, "/a")
        return await asyncio.to_thread(os.read, read, 100)

    assert asyncio.run(serve()) == b"/a\n"
    os.close(read)
    os.close(write)

"""Reloads (SIGHUP) and stops (SIGTERM) lose no request, on kept connections and through nginx.

`E2E_ROUNDS` is the number of reloads and of stops in each way; the full count is 20.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.load import KeptWriter, Writer, created, finish, load, total
from tests.e2e.stack import Running, Show, edge, free_port, service, wait_until, workers

ROUNDS = int(os.environ.get("E2E_ROUNDS", "3"))
WAYS = ["direct", "kept", "nginx over TCP", "nginx over a Unix socket"]


@contextmanager
def _way(name: str, folder: Path, port: int) -> Iterator[list[Writer]]:
    """Write to the service that listens on this port and on `folder`/web.sock."""
    if name in ("direct", "kept"):
        with load(port, kind=KeptWriter if name == "kept" else Writer) as writers:
            yield writers
        return
    edits = [("local/upstream.conf", f"127.0.0.1:{port}", f"unix:{folder}/web.sock")] if "Unix" in name else []
    with edge(folder / "edge", port, edits) as nginx, load(nginx.port, 8) as writers:
        yield writers


@contextmanager
def _service(folder: Path, port: int) -> Iterator[Running]:
    binds = f"--bind=127.0.0.1:{port} --bind=unix:{folder}/web.sock"
    with service(folder, PORT=str(port), ACCESS_LOG="off", GUNICORN_CMD_ARGS=binds) as running:
        yield running


def _more(writers: list[Writer], count: int) -> None:
    least = created(writers) + count
    wait_until(lambda: created(writers) > least, f"{count} more items written")


def _replaced(gunicorn: Running, before: set[int]) -> Callable[[], bool]:
    return lambda: len(workers(gunicorn)) == 2 and not before & workers(gunicorn)


def _assert_nothing_lost(writers: list[Writer], what: str, show: Show) -> None:
    finish(writers)
    tally = total(writers)
    show(f"{what}: {tally}")
    assert (tally.lost, tally.other) == ([], [])


@pytest.mark.parametrize("way", WAYS)
def test_reloads_lose_nothing(tmp_path: Path, way: str, show: Show) -> None:
    """Every request is a 201, and all workers are new after each."""
    port = free_port()
    with _service(tmp_path, port) as gunicorn, _way(way, tmp_path, port) as writers:
        for round_ in range(ROUNDS):
            before = workers(gunicorn)
            gunicorn.process.send_signal(signal.SIGHUP)
            wait_until(_replaced(gunicorn, before), f"reload {round_} done")
            _more(writers, 50)
        _assert_nothing_lost(writers, f"{ROUNDS} reloads, {way}", show)


@pytest.mark.parametrize("way", WAYS)
def test_stops_lose_nothing(tmp_path: Path, way: str, show: Show) -> None:
    """The service starts again after each stop. No request that was sent is without its 201."""
    port = free_port()
    with _service(tmp_path, port) as gunicorn:
        writing = _way(way, tmp_path, port)
        writers = writing.__enter__()
        _more(writers, 50)
        gunicorn.process.send_signal(signal.SIGTERM)
        assert gunicorn.process.wait(30) == 0
    try:
        for _ in range(ROUNDS - 1):
            with _service(tmp_path, port) as gunicorn:
                _more(writers, 50)
                gunicorn.process.send_signal(signal.SIGTERM)
                assert gunicorn.process.wait(30) == 0
        with _service(tmp_path, port):
            _more(writers, 50)
            _assert_nothing_lost(writers, f"{ROUNDS} stops, {way}", show)
    finally:
        writing.__exit__(None, None, None)

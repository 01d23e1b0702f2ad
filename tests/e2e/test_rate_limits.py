"""Rate limits while workers and the main process are killed and reloaded: no client gets more than a limit.

Only the main thread of the test sends `list_items`, so it knows what must be left. Clients send the rest all the time.
"""

import http.client
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.stack import ROOT, Running, ask, free_port, kill_worker, listens, service, wait_until, workers

PROBES, SHORT, LONG = (50, 3600), (20, 1), (200, 3600)
LIMITS = {"get:\n      operationId: list_items": PROBES, "get:\n      operationId: get_item": SHORT,
          "delete:\n      operationId: delete_item": LONG}  # fmt: skip
"""The long one is less than the clients are sure to send, so it is used up."""
MISSING = "/items/7000000000000007"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose contract has these limits."""
    folder = tmp_path_factory.mktemp("limited") / "checkout"
    for name in ("app", "contract", "db", "docs", "handlers", "openapi"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "gunicorn.conf.py", folder)
    contract = folder / "openapi" / "items.yaml"
    text = contract.read_text()
    for lines, (requests, seconds) in LIMITS.items():
        assert text.count(lines) == 1
        text = text.replace(lines, f"{lines}\n      x-rate-limit: {{requests: {requests}, seconds: {seconds}}}")
    contract.write_text(text)
    return folder


@dataclass
class Clients:
    """Clients that send requests with both limits all the time, each on a new connection."""

    port: int
    passed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    done: threading.Event = field(default_factory=threading.Event)
    began: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Send requests until the end."""
        while not self.done.is_set():
            for method in ("GET", "DELETE"):
                self._send(method)

    def _send(self, method: str) -> None:
        try:
            status = ask(self.port, method, MISSING).status
        except ConnectionRefusedError:
            self.done.wait(0.01)
        except (OSError, http.client.HTTPException):
            self.lost[method] += 1
        else:
            assert status in (404, 429)
            (self.refused if status == 429 else self.passed)[method] += 1

    def more(self, number: int = 30) -> None:
        """Wait for this number of further responses."""
        goal = self.passed.total() + self.refused.total() + number
        wait_until(lambda: self.passed.total() + self.refused.total() >= goal, f"{number} more responses")

    def assert_limited(self) -> None:
        """Assert that no more passed than the limits allow, and no fewer in the long window."""
        windows = int(time.monotonic() - self.began) // SHORT[1] + 1
        print(f"{windows} windows of {SHORT}: {self.passed} passed, {self.refused} were a 429, {self.lost} lost")
        assert self.passed["GET"] <= windows * SHORT[0]
        assert LONG[0] - self.lost["DELETE"] <= self.passed["DELETE"] <= LONG[0]


@contextmanager
def clients(port: int, number: int = 3) -> Iterator[Clients]:
    """Run this number of clients."""
    running = Clients(port)
    threads = [threading.Thread(target=running.run, daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.done.set()
        for thread in threads:
            thread.join()


@dataclass
class Probe:
    """Sends one request after each disturbance, and knows what is left of its limit."""

    port: int
    left: int = PROBES[0]

    def assert_counted(self) -> None:
        """Assert that exactly the requests of this probe have been counted."""
        self.left -= 1
        assert ask(self.port, "GET", "/items")["RateLimit"].startswith(f'"list_items";r={self.left};t=')


def replace_worker(running: Running) -> None:
    """Kill a worker, and wait for the next one."""
    killed = kill_worker(running)
    wait_until(lambda: len(workers(running) - {killed}) == 2, "another worker")


def reload(running: Running) -> None:
    """Replace all workers."""
    before = workers(running)
    running.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(workers(running)) == 2 and not before & workers(running), "new workers")


def kill_main_process(running: Running) -> None:
    """Kill the main process; its workers end when they notice."""
    running.process.kill()
    wait_until(lambda: not listens(running.port), "the workers ended")


def test_kills_reloads_and_restarts_change_no_count(tmp_path: Path, root: Path) -> None:
    """Three services, one after the other, with the same `RATE_LIMIT_FILE`; the first one's main process is killed."""
    settings = {"PORT": str(free_port()), "RATE_LIMIT_FILE": f"{tmp_path}/limits", "ACCESS_LOG": "off"}
    probe = Probe(int(settings["PORT"]))
    with clients(probe.port) as load:
        for disturbances in ([replace_worker] * 12 + [reload], [replace_worker, reload], [replace_worker]):
            with service(tmp_path, root=root, **settings) as running:
                probe.assert_counted()
                for disturb in disturbances:
                    load.more()
                    disturb(running)
                    probe.assert_counted()
                load.more()
                if len(disturbances) > 2:
                    kill_main_process(running)
    load.assert_limited()


def test_without_a_file_killed_and_reloaded_workers_change_no_count(tmp_path: Path, root: Path) -> None:
    """The counts are in memory that the main process gives to all of them."""
    with service(tmp_path, root=root, ACCESS_LOG="off") as running:
        probe = Probe(running.port)
        for disturb in (replace_worker, reload):
            probe.assert_counted()
            disturb(running)
        probe.assert_counted()

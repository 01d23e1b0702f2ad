"""The dashboard of ops/ as a picture: two instances under mixed load, and a real Prometheus.

`DASHBOARD_SECONDS=600 .venv/bin/python -m pytest tests/e2e/test_dashboard.py` makes the picture of docs/metrics.md,
var/e2e/dashboard.png, and `pngquant 256` makes it small.
"""

import contextlib
import http.client
import math
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.e2e.browser import chromium, keep, look
from tests.e2e.postgresql import postgresql, upgrade
from tests.e2e.soak.clients import Client
from tests.e2e.soak.intruders import Intruder
from tests.e2e.stack import ROOT, VAR, Running, ask, kill_worker, post, wait_until
from tests.e2e.test_access import keys
from tests.e2e.test_metrics import counted, prometheus
from tests.extending import copy
from tools.dashboard.__main__ import write
from tools.dashboard.queries import Range

LENGTH = float(os.environ.get("DASHBOARD_SECONDS", "15"))
PAUSE, VISITORS = 0.06, 8
UNREADABLE = """
return [...document.querySelectorAll("section")].filter(section => [section, ...section.querySelectorAll("ul, .one")]
  .some(one => one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1))
  .map(section => section.querySelector("h2").textContent)
"""


def _project(folder: Path) -> Path:
    """Return a copy of the project in which an operation is deprecated, has a sunset, and a limit that is reached."""
    copy(folder)
    contract = folder / "openapi/items.yaml"
    found, sunset = "      operationId: list_items\n", datetime.now(UTC) + timedelta(days=90)
    added = (
        "      deprecated: true\n"
        '      x-deprecated-since: "2026-11-01"\n'
        f'      x-sunset: "{sunset:%Y-%m-%d}"\n'
        "      x-rate-limit: {requests: 300, seconds: 30}\n"
    )
    assert found in contract.read_text()
    contract.write_text(contract.read_text().replace(found, found + added))
    return folder


class Visitor(threading.Thread):
    """Uses the secured service until stopped, and makes mistakes. It is busier at times."""

    def __init__(self, number: int, port: int, key: str, reader: str) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self._port = port
        self._keys: tuple[dict[str, str], ...] = (
            {"X-API-Key": key},
            {"X-API-Key": reader},
            {"X-API-Key": f"{key[:-1]}!"},
            {},
        )
        self._random = random.Random(number)

    def run(self) -> None:
        """Do one thing after the other."""
        begin = time.monotonic()
        while not self.stop.wait(PAUSE * (1.1 + math.cos((time.monotonic() - begin) / 40))):
            with contextlib.suppress(OSError, http.client.HTTPException):  # a worker was killed
                self._random.choice([self._item, self._item, self._lists, self._mistake, self._stranger])()

    def _item(self) -> None:
        key, *_ = self._keys
        created = post(self._port, {"name": "item"}, {"Idempotency-Key": f'"{time.time_ns()}"', **key})
        if created.status == 201:
            ask(self._port, "GET", created["Location"], headers=key)
            ask(self._port, "DELETE", created["Location"], headers=key)

    def _lists(self) -> None:
        ask(self._port, "GET", "/items?limit=20", headers=self._keys[1])

    def _mistake(self) -> None:
        post(self._port, {"name": 1}, self._keys[0])
        if self._random.random() < 0.4:
            ask(self._port, "GET", "/items/first", headers=self._keys[0])

    def _stranger(self) -> None:
        _, reader, unknown, none = self._keys
        (key,) = self._random.choices([reader, unknown, none], [70, 1, 30])
        post(self._port, {"name": "item"}, key)


class Silent(threading.Thread):
    """Opens connections and sends nothing, until the service ends them."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self._port = port

    def run(self) -> None:
        """Wait on one connection after the other."""
        while not self.stop.wait(1):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1) as connection:
                while not self.stop.is_set():
                    with contextlib.suppress(TimeoutError):
                        connection.recv(100)
                        break


@contextlib.contextmanager
def running(threads: list[Any]) -> Iterator[None]:
    """Run clients."""
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.stop.set()
        for thread in threads:
            thread.join(60)


def disturb(secured: Running, other: Running) -> None:
    """Wait for the time of the load, and kill and replace workers meanwhile."""
    steps: list[Callable[[], object]] = [
        lambda: kill_worker(secured),
        lambda: secured.process.send_signal(signal.SIGHUP),
        lambda: kill_worker(other),
    ]
    for step in steps:
        time.sleep(LENGTH / 4)
        step()
    time.sleep(LENGTH / 4)


def test_every_panel_has_data_and_can_be_read(tmp_path: Path) -> None:
    """Also with keys, limits, a deprecated operation and PostgreSQL. No legend is cut off."""
    folders = [tmp_path / name for name in ("secured", "other")]
    for folder in folders:
        folder.mkdir()
    settings = {"ACCESS": "secured", "KEYS_SECRET_FILE": f"{folders[0]}/keys.secret"}
    with (
        postgresql() as cluster,
        counted(folders[0], _project(tmp_path / "project"), **settings) as (secured, port),
    ):
        upgrade(cluster.url)
        key = keys(folders[0], "create", "a", "--scope=items:read", "--scope=items:write").strip()
        reader = keys(folders[0], "create", "b", "--scope=items:read").strip()
        with (
            counted(folders[1], DATABASE_URL=cluster.url) as (other, port_of_other),
            prometheus(tmp_path, port, port_of_other) as at,
        ):
            begin = time.time()
            clients = [
                *(Visitor(number, secured.port, key, reader) for number in range(VISITORS)),
                *(Client(number, other.port) for number in range(2)),
                Intruder(1, [secured.port, other.port]),
                Silent(secured.port),
            ]
            page = VAR / "dashboard.html"
            VAR.mkdir(parents=True, exist_ok=True)
            with running(clients):
                disturb(secured, other)
                url = f"http://127.0.0.1:{at}"
                wait_until(lambda: not write(url, page, Range(begin, time.time())), "data for every panel")
    with chromium(tmp_path, "--disable-lcd-text") as browser:
        browser.get(page.as_uri())
        look(browser, 1200, browser.execute_script("return document.documentElement.offsetHeight"), "light")
        keep(browser, "dashboard")
        assert browser.execute_script(UNREADABLE) == []
    size = len((ROOT / "docs" / "dashboard.png").read_bytes())
    assert 10_000 < size < 300_000, f"{size} bytes"

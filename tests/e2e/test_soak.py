"""The service under mixed load for long: `make soak` takes an hour, and `make e2e` runs the short version of it.

Real Gunicorn behind real nginx. Clients read, write and list; workers are killed, the service and nginx are reloaded;
bad clients disturb. No acknowledged write may be lost or done twice, and memory and open files must stay flat.

Nothing is reloaded after the first third, and the oldest worker is never killed. Its growth is measured in the second
half, when its caches are full.
"""

import json
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.soak.clients import Client, Tally
from tests.e2e.soak.intruders import Intruder, intruders
from tests.e2e.soak.readings import Recorder, children, growth, slope
from tests.e2e.stack import VAR, Running, Show, ask, edge, service, wait_until, workers

LENGTH = float(os.environ.get("SOAK_SECONDS", "30"))
CLIENTS, INTRUDERS = 6, 2
MEMORY_SHARE, MEMORY_LEAST = 0.03, 4 << 20
"""What counts as flat: memory grows by at most 3 %, or 4 MiB, in the second half, …"""
FILES_SHARE, FILES_LEAST = 0.1, 8.0
"""… and open files by at most 10 %, or 8, because connections come and go."""


@dataclass
class Soak:
    """A running soak: the programs, and what was done to them."""

    app: Running
    nginx: Running
    done: Counter[str] = field(default_factory=Counter)

    def processes(self) -> dict[str, int]:
        """Return the processes that are watched: the main ones, and the oldest worker of each."""
        main = {"service": self.app.process.pid, "nginx": self.nginx.process.pid}
        oldest = {f"{name}, oldest worker": children(pid)[:1] for name, pid in main.items()}
        return main | {name: pids[0] for name, pids in oldest.items() if pids}

    def disturb(self, seconds: float) -> None:
        """Kill workers for as long, and reload in the first third."""
        chance, start, number = random.Random(1), time.monotonic(), 0
        pause = min(max(seconds / 100, 1), 10)
        while (passed := time.monotonic() - start) < seconds:
            number += 1
            if number % 4 == 0 and passed < seconds / 3:
                self._reload(self.nginx if number % 8 == 0 else self.app)
            else:
                self._kill()
            time.sleep(pause * chance.uniform(0.5, 1.5))

    def _kill(self) -> None:
        _, *others = children(self.app.process.pid)
        if others:
            with suppress(ProcessLookupError):  # the one that was killed before may still be listed
                os.kill(others[-1], signal.SIGKILL)
                self.done["workers killed"] += 1

    def _reload(self, program: Running) -> None:
        program.process.send_signal(signal.SIGHUP)
        self.done["reloads"] += 1


def test_the_service_under_load_for_long(tmp_path: Path, show: Show) -> None:
    """Nothing is lost or done twice, and memory and open files are flat."""
    with service(tmp_path) as app, edge(tmp_path / "edge", app.port) as nginx:
        soak = Soak(app, nginx)
        clients = [Client(number, nginx.port) for number in range(CLIENTS)]
        bad = list(intruders(INTRUDERS, [nginx.port, app.port]))
        recorder = Recorder(soak.processes, max(LENGTH / 500, 0.1))
        with ThreadPoolExecutor(1) as pool:
            recording = pool.submit(recorder.record)
            try:
                run(soak, [*clients, *bad])
            finally:
                recorder.stop()
            recording.result()
        wait_until(lambda: ask(nginx.port, "GET", "/readyz").status == 200, "the service ready")
        missing, doubled = compare(nginx.port, clients)
        flat = report(soak, clients, bad, recorder, (missing, doubled), show)
        assert nginx.process.poll() is app.process.poll() is None
    tally = total(clients)
    assert (tally.lost, missing, doubled) == ([], [], [])
    assert flat == dict.fromkeys(flat, True)
    assert {name.rpartition(" ")[0] for one in bad for name in one.seen} >= {"slow", "garbage", "half_closed"}
    assert [name for one in bad for name in one.seen if name.rpartition(" ")[2] in ("201", "500")] == []
    for log in tmp_path.rglob("*.out"):
        log.unlink()  # an hour of access logs


def run(soak: Soak, threads: list[Client | Intruder]) -> None:
    """Run all clients while the service is disturbed, and let each end what it has begun."""
    for thread in threads:
        thread.start()
    try:
        soak.disturb(LENGTH)
    finally:
        for thread in threads:
            thread.stop.set()
        for thread in threads:
            thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    wait_until(lambda: len(workers(soak.app)) == 2, "two workers")


def total(clients: list[Client]) -> Tally:
    """Add up what the clients have counted."""
    tally = Tally()
    for client in clients:
        tally.add(client.tally)
    return tally


def compare(port: int, clients: list[Client]) -> tuple[list[str], list[str]]:
    """Compare all items with what the clients know: those that are missing or differ, and those that are too many."""
    known = {item.path: item.name for client in clients for item in client.items}
    stored = {f"/items/{number}": name for name, number in listed(port)}
    missing = [
        f"{path}: {name!r}, not {stored.get(path)!r}" for path, name in known.items() if stored.get(path) != name
    ]
    return missing, [f"{path}: {stored[path]!r}" for path in stored.keys() - known.keys()]


def listed(port: int) -> Iterator[tuple[str, int]]:
    """Yield the name and the id of all items, following the Link headers."""
    path: str | None = "/items?limit=100"
    while path:
        page = ask(port, "GET", path)
        assert page.status == 200
        yield from ((item["name"], item["id"]) for item in page.json())
        path = next(iter(re.findall(r'<([^>]+)>; rel="next"', page["Link"])), None)


def report(
    soak: Soak,
    clients: list[Client],
    bad: list[Intruder],
    recorder: Recorder,
    wrong: tuple[list[str], list[str]],
    show: Show,
) -> Mapping[str, bool]:
    """Print the figures and keep them. Return whether memory and open files of each process are flat."""
    tally, flat = total(clients), dict[str, bool]()
    seen = sum((one.seen for one in bad), Counter[str]())
    lines = [
        f"soak of {LENGTH:.0f} s: {dict(soak.done)}",
        f"requests: {tally.statuses.total()} with a response {dict(sorted(tally.statuses.items()))}",
        f"tries that failed: {tally.failed.total()} {dict(sorted(tally.failed.items()))}",
        f"repeated: {tally.replayed} responses were replayed by key; {tally.limited} requests waited for a limit",
        f"lost: {len(tally.lost) + len(wrong[0])}, doubled: {len(wrong[1])} {[*tally.lost, *wrong[0], *wrong[1]][:5]}",
        f"bad clients: {seen.total()} {dict(sorted(seen.items()))}",
    ]
    for (name, pid), readings in recorder.series.items():
        later = [one for one in readings if one.at >= LENGTH / 2]
        if len(later) < 20 or later[-1].at < LENGTH * 0.95:
            continue  # it was replaced by a reload
        memory = growth([(one.at, one.memory) for one in later])
        files = growth([(one.at, one.files) for one in later])
        flat[f"{name}: memory"] = memory.flat(MEMORY_SHARE, MEMORY_LEAST)
        flat[f"{name}: files"] = files.flat(FILES_SHARE, FILES_LEAST)
        lines.append(
            f"{name} ({pid}), second half: {later[0].memory / 1e6:.1f} to {later[-1].memory / 1e6:.1f} MB, "
            f"slope {memory.grown / 1e6:+.2f} MB; {later[0].files} to {later[-1].files} open files, "
            f"slope {files.grown:+.1f}"
        )
    VAR.mkdir(parents=True, exist_ok=True)
    (VAR / "soak.json").write_text(
        json.dumps({f"{name} {pid}": [vars(one) for one in series] for (name, pid), series in recorder.series.items()})
    )
    show("\n".join(lines))
    return flat


def test_a_slope_shows_growth_and_ignores_what_is_far_off() -> None:
    """A leak is found in noise. A peak is no leak, although the last value is higher than the first."""
    chance = random.Random(1)
    noise = [(float(second), 100 + chance.uniform(-2, 2)) for second in range(600)]
    leak = [(second, value + second / 60) for second, value in noise]
    peak = [(second, value + (80 if second > 580 else 0)) for second, value in noise]
    assert growth(leak).grown == pytest.approx(10, abs=1)
    assert abs(growth(peak).grown) < 2
    assert slope([(1, 5), (1, 6)]) == 0
    assert [growth(points).flat(0.03, 2) for points in (noise, leak, peak)] == [True, False, True]

"""Counts that processes share: exact under load, right after a kill at any instant, and bounded."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, lockf
from pathlib import Path

import pytest

from app import shared_counts
from app.shared_counts import SharedCounts, Taken

HOUR = 3_600_000
SEED = int(os.environ.get("SEED", "1"))
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # other tests have threads


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time in milliseconds, to set."""
    time = [1_000_000]
    monkeypatch.setattr(shared_counts, "now", lambda: time[0])
    return time


@contextmanager
def process(work: Callable[[], None]) -> Iterator[int]:
    """Run this in a process of its own; the value is its id. It is killed in the end."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_window_begins_with_the_first_request(clock: list[int]) -> None:
    """And at its end there is everything again."""
    counts = SharedCounts()
    assert counts.take(7, 1, 3, 1000) == Taken(1, 2, 1_001_000)
    clock[0] += 999
    assert counts.take(7, 5, 3, 1000) == Taken(2, 0, 1_001_000)
    assert counts.take(7, 1, 3, 1000) == Taken(0, 0, 1_001_000)
    clock[0] += 1
    assert counts.take(7, 1, 3, 1000) == Taken(1, 2, 1_002_000)


def test_a_look_takes_nothing(clock: list[int]) -> None:
    """And makes no row for a key that has none."""
    counts = SharedCounts()
    assert counts.look(7, 3, 1000) is None
    assert not any(counts._keys)
    counts.take(7, 2, 3, 1000)
    assert counts.look(7, 3, 1000) == counts.look(7, 3, 1000) == Taken(0, 1, 1_001_000)
    clock[0] += 1000
    assert counts.look(7, 3, 1000) == Taken(0, 3, 1_002_000)


def test_a_clock_that_began_again_ends_the_window(clock: list[int]) -> None:
    """After a restart of the machine, a file has windows that end too late."""
    counts = SharedCounts()
    assert counts.take(7, 3, 3, 1000).left == 0
    clock[0] = 5
    assert counts.take(7, 1, 3, 1000) == Taken(1, 2, 1005)


def test_keys_do_not_disturb_each_other(clock: list[int]) -> None:
    """Until there are more of them in a bucket than it has rows: then the window that ends first is forgotten."""
    counts = SharedCounts()
    keys = [7 + number * shared_counts._BUCKETS for number in range(shared_counts._ROWS_OF_BUCKET + 1)]
    for key in keys[:-1]:
        clock[0] += 1
        assert counts.take(key, 1, 9, 1000).left == 8
    assert [counts.take(key, 1, 9, 1000).left for key in keys[:-1]] == [7] * shared_counts._ROWS_OF_BUCKET
    clock[0] += 1
    assert counts.take(keys[-1], 1, 9, 1000).left == 8
    assert counts.take(keys[1], 1, 9, 1000).left == 6
    assert counts.take(keys[0], 1, 9, 1000).left == 8


def test_processes_take_exactly_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """However they are interleaved: four processes try 4,000 times for 1,500."""
    monkeypatch.setattr(shared_counts, "_ATTEMPTS", 10**9)
    counts = SharedCounts()

    def work() -> None:
        granted = sum(counts.take(7, 1, 1500, HOUR).granted for _ in range(1000))
        os.write(writer, granted.to_bytes(2))

    reader, writer = os.pipe()
    with process(work), process(work), process(work), process(work):
        found = [int.from_bytes(os.read(reader, 2)) for _ in range(4)]
    os.close(reader)
    os.close(writer)
    assert sum(found) == 1500
    assert counts.take(7, 1, 1500, HOUR).granted == 0


def test_a_process_that_is_killed_leaves_no_lock_and_no_wrong_count() -> None:
    """At 100 random instants: what it took is counted, and at most one that it did not get to use."""
    chance = random.Random(SEED)
    counts = SharedCounts()
    for number in range(1, 101):
        reader, writer = os.pipe()
        wanted = chance.randint(1, 300)

        def work(key: int = number, end: int = writer) -> None:
            while True:
                counts.take(key, 1, 1_000_000, HOUR)
                os.write(end, b".")

        with process(work):
            seen = 0
            while seen < wanted:
                seen += len(os.read(reader, 1))
        os.close(writer)
        while more := os.read(reader, 4096):
            seen += len(more)
        os.close(reader)
        assert counts._lock(number), SEED
        taken = 1_000_000 - counts.take(number, 1, 1_000_000, HOUR).left - 1
        assert seen <= taken <= seen + 1, SEED


def test_a_row_that_is_half_written_counts_as_nothing() -> None:
    """A new key is written before its window: a process that is killed in between has taken nothing."""
    counts = SharedCounts()
    row = counts._row(7, 28)
    assert (counts._keys[row], counts._states[row]) == (7, 0)
    assert counts.take(7, 1, 3, HOUR).left == 2


def test_a_process_that_was_stopped_with_the_lock_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """They wait for it, and then count without it."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    counts = SharedCounts()
    reader, writer = os.pipe()

    def work() -> None:
        lockf(counts._file, LOCK_EX, 1, 7)
        os.write(writer, b".")
        signal.pause()

    with process(work):
        os.read(reader, 1)
        assert not counts._lock(7)
        assert len(pauses) == 200
        assert min(pauses) > 0, "others get the processor"
        assert counts.take(7, 1, 3, HOUR).left == 2
        assert counts.take(7, 1, 3, HOUR).left == 1
    assert counts._lock(7)
    os.close(reader)
    os.close(writer)


def test_a_file_is_shared(tmp_path: Path) -> None:
    """By everything that names it; it is not larger for more clients, and what is in it is kept."""
    file = tmp_path / "counts"
    assert SharedCounts(file).take(7, 1, 3, HOUR).left == 2
    other = SharedCounts(file)
    assert other.take(7, 1, 3, HOUR).left == 1
    for key in range(1, 200_000, 2):
        other._row(key, key % shared_counts._BUCKETS * 4)
    assert file.stat().st_size == 1 << 20
    assert file.stat().st_mode & 0o777 == 0o600

"""Counts of requests in memory that processes share: right across workers, and after one was killed at any instant.

A table with a fixed number of rows. A row is two words: the key of who is counted, and when the window ends (in
milliseconds, 40 bits) together with what was taken (24 bits). A word is written by one store, so no row is ever half
written: a worker that is killed in between leaves a key without a window, which counts as nothing taken. The lock of a
bucket is a record lock: the kernel ends it with the process. A worker that was stopped while it has the lock does not
stop the others: after a moment they go on without it, and at worst a few requests are not counted.
"""

import os
import time
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, lockf
from mmap import mmap
from pathlib import Path
from typing import NamedTuple
from weakref import finalize

_ROWS = 1 << 16
_ROWS_OF_BUCKET = 4
_BUCKETS = _ROWS // _ROWS_OF_BUCKET
_SIZE = _ROWS * 16
_TAKEN_BITS = 24
MOST = (1 << _TAKEN_BITS) - 1
"""The highest count of a window."""
_ATTEMPTS, _PAUSE = 200, 1e-6
"""How often to try to get the lock, which others have for 2 µs, and the seconds in between.

Linux makes them 56 µs, so a process that has the lock and no processor gets one: with 8 busy processes on 2 cores, none
of 160,000 requests went on without the lock. Since Python 3.14, a pause of 0 is none at all.
"""


class Taken(NamedTuple):
    """What a caller may use, what is left after that, and when the window ends (`now()`)."""

    granted: int
    left: int
    end: int


def now() -> int:
    """Return the milliseconds on a clock that all processes of the machine share, and that is never set."""
    return time.monotonic_ns() // 1_000_000


class SharedCounts:
    """The table: of this process and those that it forks, or of all processes that use `file`.

    A new key replaces the one in its bucket whose window ends first. Make it before the workers are forked.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = _anonymous() if file is None else os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        missing = _SIZE - os.fstat(self._file).st_size
        if missing > 0:  # zeros rather than a hole: a full disk shows here, not at the first request
            os.pwrite(self._file, bytes(missing), _SIZE - missing)
        words = memoryview(mmap(self._file, _SIZE)).cast("Q")
        self._keys, self._states = words[:_ROWS], words[_ROWS:]
        finalize(self, os.close, self._file)

    def take(self, key: int, wanted: int, most: int, milliseconds: int) -> Taken:
        """Take up to `wanted` of the `most` that a key has in a window, which begins with the first request.

        `key` is 64 bits of a hash, not 0.
        """
        bucket = key % _BUCKETS
        is_locked = self._lock(bucket)
        try:
            return self._take(self._row(key, bucket * _ROWS_OF_BUCKET), wanted, most, milliseconds)
        finally:
            if is_locked:
                lockf(self._file, LOCK_UN, 1, bucket)

    def look(self, key: int, most: int, milliseconds: int) -> Taken | None:
        """Return what a key has, without taking any of it; None if it has no row, which needs no lock to see."""
        first = key % _BUCKETS * _ROWS_OF_BUCKET
        if key not in self._keys[first : first + _ROWS_OF_BUCKET].tolist():
            return None
        return self.take(key, 0, most, milliseconds)

    def _take(self, row: int, wanted: int, most: int, milliseconds: int) -> Taken:
        state, present = self._states[row], now()
        end, taken = state >> _TAKEN_BITS, state & MOST
        if not present < end <= present + milliseconds:  # it is over, or from before the machine was started
            end, taken = present + milliseconds, 0
        granted = max(0, min(wanted, most - taken))
        self._states[row] = end << _TAKEN_BITS | taken + granted
        return Taken(granted, max(0, most - taken - granted), end)

    def _row(self, key: int, first: int) -> int:
        """Return the row of a key, which begins with nothing taken if it is new."""
        keys, states = self._keys, self._states
        rows = range(first, first + _ROWS_OF_BUCKET)
        for row in rows:
            if keys[row] == key:
                return row
        row = min(rows, key=states.__getitem__)
        states[row] = 0
        keys[row] = key
        return row

    def _lock(self, bucket: int) -> bool:
        for _ in range(_ATTEMPTS):
            try:
                lockf(self._file, LOCK_EX | LOCK_NB, 1, bucket)
            except OSError:
                time.sleep(_PAUSE)
            else:
                return True
        return False


def _anonymous() -> int:
    """Return a file without a name, which is in memory where the system has that."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("rate-limits")
    from tempfile import TemporaryFile  # only on macOS

    with TemporaryFile() as file:
        return os.dup(file.fileno())

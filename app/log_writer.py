"""Writes lines to standard error without ever waiting for whoever reads it.

Several processes write to the same pipe or terminal. A line is written as a whole, so lines of different processes do
not mix. Lines that nobody reads are kept up to a limit, and then dropped and counted.
"""

import os
import select
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress

MAX_LINE = select.PIPE_BUF
"""Bytes. Linux writes no more than this to a pipe as a whole or not at all (pipe(7)): 4096."""
MAX_WAITING = 1 << 20
"""Bytes per process that wait to be read."""
_PATIENCE = 1.0
"""Seconds without progress, after which the process ends although lines are left."""


class LineWriter:
    """Lines for a file descriptor. Any thread may use it. `report` makes the line about lines that were dropped."""

    def __init__(self, descriptor: int, report: Callable[[int], str]) -> None:
        self._descriptor, self._poll = _open_again(descriptor)
        self._is_own = self._descriptor != descriptor
        self._report = report
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """Start without lines; those from before a fork are the parent's."""
        self.dropped_since_start = 0
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._size = 0
        self._encoded = b""
        self._dropped = 0

    def put(self, lines: list[str]) -> int:
        """Keep lines, which end with a newline, for the next `flush`, or drop and count them. Return the total size."""
        with self._lock:
            size = self._size + len(self._encoded)
            if size >= MAX_WAITING:
                self._dropped += len(lines)
                self.dropped_since_start += len(lines)
                return size
            self._lines += lines
            added = sum(map(len, lines))
            self._size += added
            return size + added

    def flush(self) -> bool:
        """Write all that can be written without waiting. Return whether nothing is left."""
        with self._lock:
            while self._encode():
                if not self._write():
                    return False
            return True

    def close(self) -> None:
        """Write what is left, unless nobody reads it."""
        left, end = -1, 0.0
        while not self.flush():
            if left != (left := self._size + len(self._encoded)):
                end = time.monotonic() + _PATIENCE
            elif time.monotonic() > end:
                break
            time.sleep(0.01)
        with self._lock:
            if self._is_own:
                os.close(self._descriptor)
                self._is_own = False
            self._descriptor = -1

    def _encode(self) -> bool:
        """Prepare the next lines: the report after the lines that were kept. Return whether there are any."""
        if not self._encoded:
            if not self._lines and self._dropped:
                self._lines.append(self._report(self._dropped))
                self._dropped = 0
            self._encoded = "".join(self._lines).encode("utf-8", "backslashreplace")
            self._lines.clear()
            self._size = 0
        return bool(self._encoded)

    def _write(self) -> bool:
        """Write the encoded lines, at most `MAX_LINE` bytes at a time. Return whether all are written."""
        data, start = self._encoded, 0
        with suppress(OSError):  # not now, or the reader is gone
            while start < len(data):
                if self._poll and not self._poll.poll(0):
                    break
                start += os.write(self._descriptor, data[start : _end_of_lines(data, start)])
        self._encoded = data[start:]
        return not self._encoded


def _end_of_lines(data: bytes, start: int) -> int:
    """Return the end of the last line that still belongs in one write; a line that is too long is one by itself."""
    if len(data) - start <= MAX_LINE:
        return len(data)
    return data.rfind(b"\n", start, start + MAX_LINE) + 1 or data.find(b"\n", start) + 1


def _open_again(descriptor: int) -> tuple[int, "select.poll | None"]:
    """Return a descriptor that never blocks, and what to ask before each write if there is none.

    O_NONBLOCK is a property of the open file, which this process shares with others, such as the shell. Linux opens
    pipes and terminals again by this path, for a property of our own. Others are written to only when they are ready;
    then a write of at most `MAX_LINE` bytes does not block, unless another process fills the pipe in between.
    """
    with suppress(OSError):
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            return os.open(f"/proc/self/fd/{descriptor}", flags), None
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return descriptor, poll

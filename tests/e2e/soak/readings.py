"""Memory and open files of processes over time, and whether they are flat."""

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Reading:
    """A process at one moment: seconds since the start, bytes of memory (resident), open files."""

    at: float
    memory: int
    files: int


def read(pid: int, at: float) -> Reading:
    """Read a process from /proc (proc(5)); OSError if it has ended."""
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Reading(at, resident * PAGE, len(list(Path(f"/proc/{pid}/fd").iterdir())))


def children(pid: int) -> list[int]:
    """Return the child processes, the oldest first; none if the process has ended."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return sorted((int(child) for child in text.split()), key=_began)
    return []


def _began(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return 0


@dataclass
class Recorder:
    """Reads the processes that `processes` names, again and again. `series` has the readings by name and process."""

    processes: Callable[[], Mapping[str, int]]
    interval: float
    series: dict[tuple[str, int], list[Reading]] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def record(self) -> None:
        """Read until stopped."""
        start = time.monotonic()
        while not self._stop.wait(self.interval):
            for name, pid in self.processes().items():
                with contextlib.suppress(OSError):
                    self.series.setdefault((name, pid), []).append(read(pid, time.monotonic() - start))

    def stop(self) -> None:
        """End the recording."""
        self._stop.set()


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the growth of y in each unit of x: the median of the slopes of all pairs (Theil and Sen).

    Unlike least squares, a few points that are far off do not change it. At most 200 points are used.
    """
    some = points[:: len(points) // 200 + 1]
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in itertools.combinations(some, 2) if x1 != x2]
    return median(slopes) if slopes else 0.0


@dataclass(frozen=True)
class Growth:
    """By how much a value grew in a period according to its slope, and its median there."""

    median: float
    grown: float

    def flat(self, share: float, least: float) -> bool:
        """Return whether it grew by at most this share of its median, or by `least`."""
        return self.grown <= max(share * self.median, least)


def growth(points: Sequence[tuple[float, float]]) -> Growth:
    """Return the growth from the first point to the last."""
    period = points[-1][0] - points[0][0]
    return Growth(median(value for _, value in points), slope(points) * period)

"""Metrics: numbers about this process, in memory that all processes of the service share.

`count()`, `observe()` and `gauge()` may be called from anywhere, like `logging`; they do nothing unless METRICS is set.
`app.metrics.families` lists what can be counted. `app.metrics.exporter` serves the sums to Prometheus.
"""

import os
from bisect import bisect_left
from threading import Lock

from app.metrics.families import FAMILIES, GAUGE
from app.metrics.memory import Slot, Values

_lock = Lock()  # handlers may run on threads
_slot: Slot | None = None


def begin(slot: Slot | None) -> None:
    """Count in this slot from now on; None: nowhere."""
    global _slot  # noqa: PLW0603 -- a process has one, as it has one log
    _slot = slot
    if slot is not None:
        slot.begin(os.getpid())
        for (name, labels), _ in slot.series():
            if FAMILIES[name].kind == GAUGE:  # of the process that has ended
                slot.values[slot.index(name, labels, 1)] = 0


def place(name: str, *labels: str) -> tuple[Values, int]:
    """Return where the numbers of a series are, for code that counts every request: without a lock, on one thread."""
    assert _slot is not None
    with _lock:
        return _slot.values, _slot.index(name, labels, FAMILIES[name].size)


def is_on() -> bool:
    """Return whether this process counts."""
    return _slot is not None


def count(name: str, *labels: str, by: float = 1) -> None:
    """Add to a counter. Raise KeyError if `FAMILIES` has no such counter."""
    family = FAMILIES[name]
    if _slot is not None:
        with _lock:
            _slot.values[_slot.index(family.name, labels, 1)] += by


def gauge(name: str, value: float, *labels: str) -> None:
    """Set a number that goes up and down. The exporter ignores it when the process has ended."""
    family = FAMILIES[name]
    if _slot is not None:
        with _lock:
            _slot.values[_slot.index(family.name, labels, 1)] = value


def observe(name: str, value: float, *labels: str) -> None:
    """Add a value to a histogram."""
    family = FAMILIES[name]
    if _slot is not None:
        with _lock:
            first = _slot.index(family.name, labels, family.size)
            _slot.values[first + bisect_left(family.buckets, value)] += 1
            _slot.values[first + family.size - 1] += value

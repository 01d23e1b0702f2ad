"""Reads what all processes have counted, adds what can be seen from outside of them, and sums it up."""

import os
import platform
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from threading import Lock

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.metrics.families import COUNTER, FAMILIES, GAUGE, Family
from app.metrics.memory import Memory, Slot

Series = dict[tuple[str, ...], list[float]]
"""The numbers of one metric, by the values of its labels."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ServiceCollector(Collector):
    """The metrics of the service. `database` is the file of SQLite, `version` that of the contract."""

    def __init__(self, memory: Memory, database: Path | None, version: str) -> None:
        self._memory = memory
        self._database = database
        self._version = version
        self._slots: list[Slot] = []
        self._lock = Lock()  # several clients may come at once

    def collect(self) -> Iterator[Metric]:
        """Yield every metric that has a value."""
        with self._lock:
            found = self._find()
        for name, family in FAMILIES.items():
            if found[name]:
                yield _metric(family, found[name])

    def _find(self) -> dict[str, Series]:
        """Return what there is now."""
        found: defaultdict[str, Series] = defaultdict(dict)
        for number in range(len(self._slots), self._memory.used()):
            self._slots.append(self._memory.slot(number))
        for slot in self._slots:
            _add_slot(found, slot)
        self._add_workers(found)
        found["service_info"] = {(self._version, platform.python_version()): [1.0]}
        if self._database is not None:
            _add_database(found, self._database)
        return found

    def _add_workers(self, found: dict[str, Series]) -> None:
        running = [slot for slot in self._slots[1:] if slot.pid]
        found["workers"] = {(): [float(len(running))]}
        for slot in running:
            try:
                memory, files, seconds = process(slot.pid)
            except OSError:  # it has just ended, or this is not Linux
                continue
            worker = (str(slot.number),)
            found["worker_memory_bytes"][worker] = [memory]
            found["worker_open_files"][worker] = [files]
            found["worker_cpu_seconds_total"][worker] = [seconds]


def process(pid: int) -> tuple[float, float, float]:
    """Return the resident memory in bytes, the open files, and the processor time in seconds (proc(5)). Linux.

    OSError if it is not running.
    """
    folder = Path("/proc", str(pid))
    fields = (folder / "stat").read_text().rpartition(")")[2].split()  # the name before may have spaces
    if fields[21] == "0":
        raise ProcessLookupError  # it has ended, and its parent has not looked yet
    seconds = (int(fields[11]) + int(fields[12])) / _TICKS
    return int(fields[21]) * _PAGE, len(os.listdir(folder / "fd")), seconds  # noqa: PTH208 -- only their number


def _add_slot(found: dict[str, Series], slot: Slot) -> None:
    """Add the numbers of a process; one that has ended has no gauges any more."""
    for (name, labels), numbers in slot.series():
        family = FAMILIES[name]
        if family.kind == GAUGE and not slot.pid:
            continue
        before = found[name].get(labels)
        merge = max if family.is_shared else _sum
        found[name][labels] = (
            numbers if before is None else [merge(*pair) for pair in zip(before, numbers, strict=True)]
        )


def _sum(one: float, other: float) -> float:
    return one + other


def _add_database(found: dict[str, Series], file: Path) -> None:
    for name, path in (("database_bytes", file), ("database_wal_bytes", Path(f"{file}-wal"))):
        found[name] = {(): [float(path.stat().st_size) if path.exists() else 0.0]}
    if file.parent.exists():
        status = os.statvfs(file.parent)
        found["database_disk_free_bytes"] = {(): [float(status.f_frsize * status.f_bavail)]}


def _metric(family: Family, series: Series) -> Metric:
    if family.kind in (COUNTER, GAUGE):
        metric_class = CounterMetricFamily if family.kind == COUNTER else GaugeMetricFamily
        metric = metric_class(family.name, family.meaning, labels=family.labels)
        for labels, (value,) in sorted(series.items()):
            metric.add_metric(labels, value)
        return metric
    histogram = HistogramMetricFamily(family.name, family.meaning, labels=family.labels)
    limits = [*map(str, map(float, family.buckets)), "+Inf"]
    for labels, (*counts, total) in sorted(series.items()):
        histogram.add_metric(labels, list(zip(limits, accumulate(counts), strict=True)), total)
    return histogram

"""Memory that all processes of the service share, with one slot for each process that counts.

A slot is written by one process at a time and read by the exporter. It stays when its process ends: the next one goes
on with its numbers. Only pages that are used take memory.
"""

import json
import mmap
import os
import struct
import tempfile
from collections.abc import Iterator
from typing import Any, TypeAlias

SLOTS = 1024
SLOT_BYTES = 1 << 20
_HEADER = struct.Struct("=QQ")  # the process id, 0 for none; the bytes of the names that are complete
_USED = struct.Struct("=Q")  # behind the first slot's header: how many slots have been given out, itself included
_NAMES = _HEADER.size + _USED.size
_VALUES = SLOT_BYTES // 2  # a series has a name that is longer than its numbers, or a histogram
Values: TypeAlias = "memoryview[float]"
_SPARE = 64  # more than the numbers of one series
Key = tuple[str, tuple[str, ...]]
"""A series: the name of its metric, and the values of its labels."""


class Slot:
    """The numbers of one process. The last ones belong to no series: they take what does not fit."""

    def __init__(self, descriptor: int, number: int) -> None:
        self.number = number
        self._memory = mmap.mmap(descriptor, SLOT_BYTES, offset=number * SLOT_BYTES)
        self.values: Values = memoryview(self._memory)[_VALUES:].cast("d")
        self._series: dict[Key, tuple[int, int]] = {}
        self._read = 0  # bytes of names
        self._next = 0
        self.refresh()

    @property
    def pid(self) -> int:
        """The process that counts here; 0: it has ended."""
        return int(_HEADER.unpack_from(self._memory)[0])

    def begin(self, pid: int) -> None:
        """Let a process count here, after the one that has ended."""
        _HEADER.pack_into(self._memory, 0, pid, self._read)

    def index(self, name: str, labels: tuple[str, ...], size: int) -> int:
        """Return the index of the first of `size` numbers of a series; add the series if it is new."""
        found = self._series.get((name, labels))
        return found[0] if found is not None else self._add(name, labels, size)

    def series(self) -> Iterator[tuple[Key, list[float]]]:
        """Yield every series with its numbers."""
        self.refresh()
        for key, (first, size) in self._series.items():
            yield key, list(self.values[first : first + size])

    def refresh(self) -> None:
        """Read the names of the series that have been added since."""
        end = _NAMES + int(_HEADER.unpack_from(self._memory)[1])
        for line in self._memory[_NAMES + self._read : end].splitlines():
            name, labels, size = json.loads(line)
            self._series[name, tuple(labels)] = self._next, size
            self._next += size
        self._read = end - _NAMES

    def _add(self, name: str, labels: tuple[str, ...], size: int) -> int:
        line = json.dumps([name, labels, size]).encode() + b"\n"
        start, first = _NAMES + self._read, self._next
        if start + len(line) > _VALUES or first + size > len(self.values) - _SPARE:
            return -size
        self._memory[start : start + len(line)] = line
        self._read += len(line)
        self._next += size
        self._series[name, labels] = first, size
        _HEADER.pack_into(self._memory, 0, self.pid, self._read)  # last, for the exporter
        return first


class Memory:
    """All slots. The main process has the first, and gives the others to its workers."""

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = _file() if descriptor is None else descriptor
        self._taken: dict[Any, int] = {}

    def take(self, worker: Any) -> Slot:
        """Return the slot for a new worker: the first one that no other has."""
        number = next(number for number in range(1, SLOTS) if number not in self._taken.values())
        self._taken[worker] = number
        if number >= self.used():
            os.pwrite(self.descriptor, _USED.pack(number + 1), _HEADER.size)
        return self.slot(number)

    def give_back(self, worker: Any) -> None:
        """Note that a worker has ended; the next one goes on with its numbers."""
        number = self._taken.pop(worker, None)
        if number is not None:
            os.pwrite(self.descriptor, bytes(8), number * SLOT_BYTES)

    def slot(self, number: int) -> Slot:
        """Return a slot."""
        return Slot(self.descriptor, number)

    def used(self) -> int:
        """Return how many slots processes have had so far: the first ones."""
        return int(_USED.unpack(os.pread(self.descriptor, _USED.size, _HEADER.size))[0])


def _file() -> int:
    """Create the memory: a file without a name."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("metrics")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, SLOTS * SLOT_BYTES)
    return descriptor

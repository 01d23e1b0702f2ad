"""Turns system calls into events: what happens to the database's files and which responses are sent, in one order.

Each assumption is the one that finds more losses: a write can reach the disk from its entry on; a sync covers only the
writes that ended before its entry, and only from its exit on; a response can reach the client from its entry on.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tools.powercut.clients import PREFIX
from tools.powercut.strace import Call, TraceError, hexadecimal, read

SUFFIXES = ("", "-wal", "-journal")
"""The files of a database. The fourth, `-shm`, is made again after a power cut."""
FOLDER, PARENT = "", ".."
"""The names of the database's folder, and of the folder that has it."""
_RESPONSE = re.compile(rb"HTTP/1\.1 \d{3} .*?^x-request-id: (\S+)\r$", re.DOTALL | re.MULTILINE | re.IGNORECASE)
_SENDS = ("write", "writev", "sendto", "sendmsg")
_SYNCS = ("fsync", "fdatasync")


@dataclass(frozen=True, eq=False)
class Change:
    """A change of a file, and the process that makes it."""

    name: str
    process: int


@dataclass(frozen=True, eq=False)
class Write(Change):
    """Bytes that are written at an offset."""

    offset: int
    data: bytes


@dataclass(frozen=True, eq=False)
class Truncate(Change):
    """A new size, larger or smaller."""

    size: int


class Create(Change):
    """A name in the folder, for a new and empty file, if it is not there yet; or the folder itself."""


class Remove(Change):
    """The name is removed from the folder."""


@dataclass(frozen=True)
class Issued:
    """A change begins."""

    change: Change


@dataclass(frozen=True)
class Done:
    """A change has ended."""

    change: Change


@dataclass(frozen=True)
class SyncBegins:
    """The sync of a file or folder begins."""

    name: str
    sync: int


@dataclass(frozen=True)
class SyncEnds:
    """The sync with this number has ended: what it covers is durable."""

    sync: int


@dataclass(frozen=True)
class Sent:
    """A response is sent."""

    request_id: str
    process: int


Event = Issued | Done | SyncBegins | SyncEnds | Sent


def events(trace: Path, database: Path) -> list[Event]:
    """Return the events of one trace. Raise `TraceError` if it has a call whose effect on the database is not known."""
    reader = _Reader(database, _processes(trace))
    wanted = (hexadecimal(str(database.parent.parent)), hexadecimal(PREFIX))
    placed: list[tuple[int, Event]] = []
    with trace.open(encoding="ascii") as lines:
        for call in read(lines, wanted):
            if call.result is None or call.result >= 0:
                placed += reader.events(call)
    placed.sort(key=lambda one: one[0])  # stable: an entry stays before its exit
    return [event for _, event in placed]


def _processes(trace: Path) -> dict[int, int]:
    """Return the process of each thread that is not the first one of its process."""
    found: dict[int, int] = {}
    with trace.open(encoding="ascii") as lines:
        for call in read(lines, ["CLONE_THREAD"]):
            if call.result:
                found[call.result] = found.get(call.thread, call.thread)
    return found


class _Reader:
    """Knows which files are the database's, and which calls change them."""

    def __init__(self, database: Path, processes: dict[int, int]) -> None:
        self._names = {f"{database}{suffix}": f"{database.name}{suffix}" for suffix in SUFFIXES}
        self._names |= {str(database.parent): FOLDER, str(database.parent.parent): PARENT}
        self._processes = processes
        self._syncs = count()

    def events(self, call: Call) -> Iterator[tuple[int, Event]]:
        """Yield the events of one call with their moments."""
        process = self._processes.get(call.thread, call.thread)
        if call.name in _SENDS:
            yield from self._sent(call, process)
        name = self._name(call)
        if name is None:
            return
        if call.name in _SYNCS:
            sync = next(self._syncs)
            yield call.entry, SyncBegins(name, sync)
            if call.exit is not None:
                yield call.exit, SyncEnds(sync)
        elif change := self._change(call, name, process):
            yield call.entry, Issued(change)
            if call.exit is not None:
                yield call.exit, Done(change)

    def _name(self, call: Call) -> str | None:
        """Return the file or folder of a call; None if it is not the database's."""
        paths = [*call.descriptors(), *_paths(call)]
        return next((self._names[path] for path in paths if path in self._names), None)

    def _sent(self, call: Call, process: int) -> Iterator[tuple[int, Event]]:
        paths = call.descriptors()
        if paths and paths[0].startswith("socket:") and (found := _RESPONSE.match(b"".join(call.strings()))):
            yield call.entry, Sent(found[1].decode(), process)

    def _change(self, call: Call, name: str, process: int) -> Change | None:
        """Return the change of a file of the database that a call makes."""
        if name == PARENT:
            return None
        if call.name == "openat" and "O_TRUNC" not in call.arguments:
            return Create(name, process) if "O_CREAT" in call.arguments else None
        if call.name == "pwrite64":
            (data,) = call.strings()
            return Write(name, process, call.number(-1), data if call.result is None else data[: call.result])
        if call.name == "ftruncate":
            return Truncate(name, process, call.number(-1))
        if call.name == "mkdir":
            return Create(name, process)
        if call.name == "unlink":
            return Remove(name, process)
        raise TraceError(f"{call.name}({name!r}) changes the database: tools/powercut/events.py does not know it")


def _paths(call: Call) -> list[str]:
    """Return the paths that a call names, without those of descriptors."""
    return [] if call.name in (*_SENDS, "pwrite64") else [one.decode("utf-8", "replace") for one in call.strings()]

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

IGNORED = ("-shm", "-lock")
"""The ends of the names of files that mean nothing after a power cut."""
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


@dataclass(frozen=True, eq=False)
class Link(Change):
    """Another name, for the file that has the name `old`; a rename removes that name in the same moment."""

    old: str
    is_rename: bool


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
    """Knows which files are in the folder of the database, and which calls change them."""

    def __init__(self, database: Path, processes: dict[int, int]) -> None:
        self._folder = str(database.parent)
        self._parent = str(database.parent.parent)
        self._processes = processes
        self._syncs = count()

    def events(self, call: Call) -> Iterator[tuple[int, Event]]:
        """Yield the events of one call with their moments."""
        process = self._processes.get(call.thread, call.thread)
        if call.name in _SENDS:
            yield from self._sent(call, process)
        names = self._names(call)
        if not names:
            return
        name = names[0]
        if call.name in _SYNCS:
            sync = next(self._syncs)
            yield call.entry, SyncBegins(name, sync)
            if call.exit is not None:
                yield call.exit, SyncEnds(sync)
        elif change := self._change(call, names, process):
            yield call.entry, Issued(change)
            if call.exit is not None:
                yield call.exit, Done(change)

    def _names(self, call: Call) -> list[str]:
        """Return the files or folders of a call, without those of others than the database."""
        paths = [*call.descriptors(), *_paths(call)]
        return [name for path in paths if (name := self._name(path)) is not None]

    def _name(self, path: str) -> str | None:
        if path in (self._folder, self._parent):
            return FOLDER if path == self._folder else PARENT
        folder, _, name = path.rpartition("/")
        return name if folder == self._folder and not name.endswith(IGNORED) else None

    def _sent(self, call: Call, process: int) -> Iterator[tuple[int, Event]]:
        paths = call.descriptors()
        if paths and paths[0].startswith("socket:") and (found := _RESPONSE.match(b"".join(call.strings()))):
            yield call.entry, Sent(found[1].decode(), process)

    def _change(self, call: Call, names: list[str], process: int) -> Change | None:
        """Return the change of a file of the database that a call makes."""
        name = names[0]
        if name == PARENT or (call.name == "openat" and not re.search("O_CREAT|O_TRUNC", call.arguments)):
            return None
        if call.name == "pwrite64":
            (data,) = call.strings()
            return Write(name, process, call.number(-1), data if call.result is None else data[: call.result])
        if call.name == "ftruncate":
            return Truncate(name, process, call.number(-1))
        change = _naming(call, names, process)
        if change is None:
            raise TraceError(f"{call.name}({name!r}) changes the database: tools/powercut/events.py does not know it")
        return change


def _naming(call: Call, names: list[str], process: int) -> Change | None:
    """Return the change of names in the folder that a call makes; None if it makes none, or another change."""
    if call.name == "mkdir" or (call.name == "openat" and "O_TRUNC" not in call.arguments):
        return Create(names[0], process)
    if call.name == "unlink":
        return Remove(names[0], process)
    if call.name in ("link", "rename") and len(names) == 2:
        return Link(names[1], process, names[0], call.name == "rename")
    return None


def _paths(call: Call) -> list[str]:
    """Return the paths that a call names, without those of descriptors."""
    return [] if call.name in (*_SENDS, "pwrite64") else [one.decode("utf-8", "replace") for one in call.strings()]

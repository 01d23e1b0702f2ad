"""Describes the moments of a recording: what the service is doing. Cuts are chosen and counted by it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tools.powercut.events import Event, Issued, Sent, SyncBegins, SyncEnds, Write

_FRAME_HEADER = 24  # bytes, https://sqlite.org/fileformat2.html#the_write_ahead_log
GROUP = "group commit"
CHECKPOINT = "checkpoint"
START = "start"
STARTS = (START, "start after a kill")
STOP = "stop"


@dataclass
class _Commit:
    """A transaction, with the requests whose responses it leads to, and the position of the last response."""

    requests: list[str] = field(default_factory=list)
    end: int = 0


def describe(runs: Sequence[Sequence[Event]], kinds: Mapping[str, str], database: str) -> list[str]:
    """Return what the service does before each event of all runs. `kinds` has the kind of each request that writes."""
    described: list[str] = []
    for start, events in zip(STARTS, runs, strict=True):
        moments = list(_commits(events, kinds))
        for begin, end in _checkpoints(events, database):
            moments[begin:end] = [CHECKPOINT] * (end - begin)
        sent = [position for position, event in enumerate(events) if isinstance(event, Sent)]
        moments[: sent[0]] = [start] * sent[0]
        moments[sent[-1] + 1 :] = [STOP] * (len(moments) - sent[-1] - 1)
        described += moments
    return described


def _commits(events: Sequence[Event], kinds: Mapping[str, str]) -> Iterator[str]:
    """Yield for each event the earliest commit that still leads to a response: its kind, or that it is a group's."""
    waiting = _found(events, kinds)
    current = waiting.pop(0)
    for position in range(len(events)):
        while current.end < position and waiting:
            current = waiting.pop(0)
        yield GROUP if len(current.requests) > 1 else kinds[current.requests[0]]


def _found(events: Sequence[Event], kinds: Mapping[str, str]) -> list[_Commit]:
    """Return the commits with responses. A response belongs to the latest commit of the process that sends it."""
    commits: list[_Commit] = []
    latest: dict[int, _Commit] = {}
    for position, event in enumerate(events):
        if isinstance(event, Issued) and is_commit(event.change):
            latest[event.change.process] = _Commit()
            commits.append(latest[event.change.process])
        elif isinstance(event, Sent) and event.process in latest and event.request_id in kinds:
            latest[event.process].requests.append(event.request_id)
            latest[event.process].end = position
    return [commit for commit in commits if commit.requests]


def is_commit(change: object) -> bool:
    """Return whether a change is the header of the last frame of a transaction: it has the size of the database."""
    if not isinstance(change, Write) or not change.name.endswith("-wal"):
        return False
    return len(change.data) == _FRAME_HEADER and change.data[4:8] != bytes(4)


def _checkpoints(events: Sequence[Event], database: str) -> Iterator[tuple[int, int]]:
    """Yield the positions between the first write of a checkpoint and the end of the sync after it."""
    begin, sync = None, None
    for position, event in enumerate(events):
        if isinstance(event, Issued) and event.change.name == database and isinstance(event.change, Write):
            begin = position + 1 if begin is None else begin
        elif isinstance(event, SyncBegins) and event.name == database:
            sync = event.sync
        elif isinstance(event, SyncEnds) and event.sync == sync and begin is not None:
            yield begin, position + 1
            begin = None

"""Calls become events, in the order that finds most losses, and each moment is described by what the service does."""

from pathlib import Path

import pytest

from tests.tools.powercut import DATABASE, create, path, send, sync, traced, unfinished, write
from tools.powercut.events import Create, Done, Issued, Sent, SyncBegins, SyncEnds, Truncate, Write
from tools.powercut.moments import describe
from tools.powercut.strace import TraceError, hexadecimal

WAL = "items.db-wal"
COMMIT = b"\0\0\0\1\0\0\0\2" + bytes(16)
"""The header of a frame with the size of the database, which ends a transaction."""
KINDS = {"powercut-0-0": "create", "powercut-0-1": "update", "powercut-0-2": "delete"}


def test_a_write_begins_at_its_entry_and_a_sync_ends_at_its_exit(tmp_path: Path) -> None:
    """Calls of two threads overlap."""
    written, ended = unfinished(write(WAL, 8, b"ab", thread=1))
    begins, ends = unfinished(sync(WAL, thread=2))
    events = traced(tmp_path, [written, begins, ended, ends])
    assert [type(event) for event in events] == [Issued, SyncBegins, Done, SyncEnds]
    assert isinstance(events[0], Issued)
    assert isinstance(events[0].change, Write)
    assert (events[0].change.name, events[0].change.offset, events[0].change.data) == (WAL, 8, b"ab")


def test_what_happens_to_files_and_folders_is_read(tmp_path: Path) -> None:
    """The folder has the empty name, the one above it the name `..`; `-shm` and other folders have no events."""
    above = hexadecimal(str(DATABASE.parent.parent))
    lines = [
        f'1 mkdir("{path("")}", 0777) = 0',
        f"1 fsync(3<{above}>) = 0",
        create("items.db-shm"),
        create(WAL),
        f"1 ftruncate(3<{path(WAL)}>, 512) = 0",
        sync(""),
    ]
    events = traced(tmp_path, lines)
    changes = [event.change for event in events if isinstance(event, Issued)]
    assert [(type(change), change.name) for change in changes] == [(Create, ""), (Create, WAL), (Truncate, WAL)]
    assert [event.name for event in events if isinstance(event, SyncBegins)] == ["..", ""]


def test_a_short_write_has_the_bytes_that_were_written(tmp_path: Path) -> None:
    """And one that failed has no event."""
    short = write(WAL, 0, b"abcd").removesuffix("= 4") + "= 2"
    failed = write(WAL, 0, b"abcd").removesuffix("= 4") + "= -1 ENOSPC (No space left on device)"
    (issued, _) = traced(tmp_path, [short, failed])
    assert isinstance(issued, Issued)
    assert isinstance(issued.change, Write)
    assert issued.change.data == b"ab"


@pytest.mark.parametrize("call", ["fallocate(3<{}>, 0, 0, 4096)", "write(3<{}>, {}, 1)", "rename({}, {})"])
def test_a_call_with_an_unknown_effect_is_refused(tmp_path: Path, call: str) -> None:
    """The database would be rebuilt without it."""
    quoted = f'"{path(WAL)}"'
    line = call.format(path(WAL), '"\\x61"') if "<" in call else call.format('"\\x61"', quoted)
    with pytest.raises(TraceError, match="changes the database"):
        traced(tmp_path, [f"1 {line} = 0"])


def test_a_response_has_its_request_and_the_process_that_sends_it(tmp_path: Path) -> None:
    """Process 1 has the thread 5; a log line with a request id is no response."""
    log = send("powercut-0-0").replace(hexadecimal("socket:[77]"), hexadecimal("pipe:[78]"))
    clone = "1 clone3({flags=CLONE_VM|CLONE_THREAD|CLONE_SETTLS} => {parent_tid=[5]}, 88) = 5"
    assert traced(tmp_path, [clone, log, send("powercut-0-0", thread=5)]) == [Sent("powercut-0-0", 1)]


def test_a_response_to_a_request_that_writes_nothing_belongs_to_no_commit(tmp_path: Path) -> None:
    """A repeated request has the response of the first one: the commit before it is no group's."""
    once, twice = send("powercut-0-0"), send("powercut-0-9")
    events = traced(tmp_path, [twice, write(WAL, 32, COMMIT), sync(WAL), once, twice])
    assert describe([events, events], KINDS, "items.db") == ["create"] * 2 * len(events)


def test_moments_are_described_by_the_next_response(tmp_path: Path) -> None:
    """Two responses of one commit are a group's; the database is written by a checkpoint."""
    start = [create(WAL), create("items.db")]
    one = [write(WAL, 32, COMMIT), sync(WAL), send("powercut-0-0")]
    checkpoint = [write("items.db", 0, b"page"), sync("items.db")]
    group = [write(WAL, 32, COMMIT), sync(WAL), send("powercut-0-1"), send("powercut-0-2")]
    stop = [sync(WAL)]
    first = traced(tmp_path, [*start, *one, *group, *stop])
    second = traced(tmp_path, [*one, *group[:-2], *checkpoint, *group[-2:]])
    described = describe([first, second], KINDS, "items.db")
    group_moments, checkpoint_moments = ["group commit"] * 6, ["checkpoint"] * 3
    assert described[:17] == [*["start"] * 8, "create", *group_moments, *["stop"] * 2]
    assert described[17:] == [
        *["start after a kill"] * 4,
        "create",
        *group_moments[:5],
        *checkpoint_moments,
        *group_moments[:2],
    ]

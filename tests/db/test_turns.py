"""Turns: one transaction for several calls, each of which takes effect alone, and the lock between processes."""

import multiprocessing
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from db.engine import Database
from db.errors import BUSY, UNREACHABLE, failure
from db.file_lock import FileLock
from db.items import ITEMS
from db.sqlite import error_of
from db.turns import Turn, Turns
from tests.db.internals import sqlite


class Refused(Exception):  # noqa: N818 -- a handler's own
    """What a handler raises."""


@pytest.fixture
def turns(database: Database) -> Turns:
    """The turns of the database."""
    return sqlite(database)._turns


def _add(connection: Connection, name: str) -> None:
    ITEMS.add(connection, {"name": name, "description": None})


def _names(database: Database) -> list[str]:
    with database.read() as connection:
        return [row["name"] for row in ITEMS.page(connection, "id", {}, None, 100)]


def _begun(turns: Turns) -> Turn:
    turn = turns.try_begin()
    assert turn is not None
    return turn


def _write(database: Database, name: str, error: BaseException | None = None) -> Callable[[], str]:
    def call() -> str:
        with database.write() as connection:
            _add(connection, name)
            if error is not None:
                raise error
        return name

    return call


# Each step of a call is a block of `write()`: whether it raises, and whether the call catches that.
BLOCKS = st.lists(st.sampled_from(["kept", "raises", "raises, caught", "nested, inner raises"]), max_size=3)
CALLS = st.lists(st.tuples(BLOCKS, st.booleans()), min_size=1, max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(CALLS)
def test_a_call_that_raises_undoes_its_own_writes_and_no_others(
    database: Database, calls: list[tuple[list[str], bool]]
) -> None:
    """The same holds for each block of `write()` in a call that goes on."""
    with database.write() as connection:
        connection.execute(text("DELETE FROM items"))
    turn = _begun(sqlite(database)._turns)
    expected: list[str] = []
    for number, (blocks, fails) in enumerate(calls):
        kept, raises = _expected(number, blocks)
        outcome = turn.call(lambda number=number, blocks=blocks, fails=fails: _run(database, number, blocks, fails))  # type: ignore[misc]
        assert isinstance(outcome.error, Refused) is (raises or fails)
        expected += [] if raises or fails else kept
    assert _names(database) == []
    turn.commit()
    assert _names(database) == expected


def _expected(number: int, blocks: list[str]) -> tuple[list[str], bool]:
    kept = []
    for index, block in enumerate(blocks):
        if block == "raises":
            return [], True
        if block != "raises, caught":
            kept.append(f"{number}.{index}")
    return kept, False


def _run(database: Database, number: int, blocks: list[str], fails: bool) -> None:  # noqa: FBT001 -- of a table
    for index, block in enumerate(blocks):
        name = f"{number}.{index}"
        if block == "kept":
            _write(database, name)()
        elif block == "raises":
            _write(database, name, Refused())()
        elif block == "raises, caught":
            with pytest.raises(Refused):
                _write(database, name, Refused())()
        else:
            with database.write() as connection:
                with pytest.raises(Refused):
                    _write(database, "inner", Refused())()
                _add(connection, name)
    if fails:
        raise Refused


def test_a_call_reads_what_it_and_earlier_calls_wrote(database: Database, turns: Turns) -> None:
    """Both kinds of connection do: `read()` inside of a call is the turn's connection."""
    turn = _begun(turns)
    turn.call(_write(database, "first"))
    outcome = turn.call(lambda: (_write(database, "second")(), _names(database)))
    assert outcome == ((("second", ["first", "second"])), None)
    assert _names(database) == []
    turn.rollback()
    assert _names(database) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), Refused()], ids=repr)
def test_any_exception_is_an_outcome(database: Database, turns: Turns, error: BaseException) -> None:
    """It is raised where the call was waited for, and the turn goes on."""
    turn = _begun(turns)
    assert turn.call(_write(database, "lost", error)) == (None, error)
    assert turn.call(_write(database, "kept")) == ("kept", None)
    turn.commit()
    assert _names(database) == ["kept"]


def test_stop_iteration_is_a_runtime_error(turns: Turns) -> None:
    """No future can hold a StopIteration."""
    turn = _begun(turns)
    outcome = turn.call(lambda: next(iter(())))
    turn.rollback()
    assert isinstance(outcome.error, RuntimeError)


def test_a_transaction_that_sqlite_has_rolled_back_fails_as_a_whole(database: Database, turns: Turns) -> None:
    """SQLite does so when the disk is full; what earlier calls wrote is lost then, too."""
    turn = _begun(turns)
    assert turn.call(_write(database, "lost")).error is None
    full = error_of("INSERT", _coded(sqlite3.SQLITE_FULL))

    def call() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("ROLLBACK")
            raise full

    assert turn.call(call).error is full
    assert turn.failure is full
    turn.rollback()
    assert turn.connection.closed
    assert _names(database) == []


def _coded(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("simulated")
    error.sqlite_errorcode = code
    return error


def test_only_one_turn_at_a_time(turns: Turns) -> None:
    """The next one begins when it has ended, whatever its end."""
    for end in (Turn.commit, Turn.rollback):
        turn = _begun(turns)
        assert turns.try_begin() is None
        end(turn)
    _begun(turns).rollback()


def test_another_program_with_sqlites_lock_is_waited_for(database: Database, turns: Turns, file: Path) -> None:
    """It has no lock file: SQLite's own lock stays in force. What it wrote is there."""
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute(
        "INSERT INTO items (name, version, created_at, updated_at) VALUES ('other', 1, :now, :now)",
        {"now": "2026-01-01T00:00:00.000000Z"},
    )
    assert turns.try_begin() is None
    threading.Timer(0.05, other.execute, ("COMMIT",)).start()
    turns.begin().rollback()
    assert _names(database) == ["other"]
    other.close()


def test_a_write_waits_only_as_long_as_it_may(turns: Turns) -> None:
    """Then it is busy; the lock that its thread gets later is free again at once."""
    turns.seconds = 0.01
    turn = _begun(turns)
    with pytest.raises(Exception, match="others have been writing") as caught:
        turns.begin()
    assert failure(caught.value) is BUSY  # type: ignore[arg-type]
    turn.rollback()
    turns.seconds = 5
    turns.begin().rollback()


def _hold(path: str, ready: Any, end: Any) -> None:
    lock = FileLock(path)
    lock.acquire()
    ready.set()
    end.wait()
    os._exit(0)  # without a release: the kernel does it


def test_a_process_that_ends_releases_the_lock(turns: Turns) -> None:
    """It may be killed."""
    context = multiprocessing.get_context("spawn")
    ready, end = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(turns.lock_path, ready, end))
    process.start()
    ready.wait()
    assert turns.try_begin() is None
    end.set()
    turns.begin().rollback()
    process.join()


def test_without_a_lock_file_sqlites_lock_decides(database: Database, turns: Turns) -> None:
    """A folder in its place, or a folder without permission to write, does not stop writing."""
    Path(turns.lock_path).unlink(missing_ok=True)
    Path(turns.lock_path).mkdir()
    turns.lock_path += "/missing/lock"
    turn = _begun(turns)
    assert turns.try_begin() is None
    turn.call(_write(database, "kept"))
    turn.commit()
    assert _names(database) == ["kept"]


def test_a_fork_does_not_use_its_parents_connections(database: Database, turns: Turns) -> None:
    """Neither to read nor to write; the parent goes on with them."""
    _write(database, "parent")()
    before = [*sqlite(database)._readers._idle, *turns.connections._idle]
    assert before
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _write(database, "child")()
            with database.read() as connection:
                used = [*sqlite(database)._readers._idle, *turns.connections._idle, connection]
            os.write(writing, b"%d" % len([one for one in used if one in before]))
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reading, 10) == b"0"
    os.close(reading)
    os.close(writing)
    assert _names(database) == ["parent", "child"]
    assert set(before) <= {*sqlite(database)._readers._idle, *turns.connections._idle}


@pytest.fixture
def replaced(database: Database, file: Path, tmp_path: Path) -> Callable[[], None]:
    """Write, then put a copy of the database without that in its place, but leave the WAL where it is."""
    copy = tmp_path / "copy.db"
    source = sqlite3.connect(file)
    source.execute("VACUUM INTO ?", (str(copy),))
    source.close()
    _write(database, "old")()

    def replace() -> None:
        copy.replace(file)

    return replace


def test_a_replaced_file_is_used_by_the_next_write(
    database: Database, file: Path, replaced: Callable[[], None]
) -> None:
    """Reads see it, too. The WAL of the old file does not get into the new one."""
    replaced()
    _write(database, "new")()
    assert _names(database) == ["new"]
    database.close()
    other = sqlite3.connect(file)
    assert other.execute("SELECT name FROM items").fetchall() == [("new",)]
    assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    other.close()
    assert Path(f"{file}-wal-old").exists()


def test_a_file_that_is_replaced_during_a_turn_fails_the_commit(
    database: Database, turns: Turns, replaced: Callable[[], None]
) -> None:
    """Nothing is acknowledged into a file that has no name."""
    turn = _begun(turns)
    turn.call(_write(database, "lost"))
    replaced()
    with pytest.raises(OperationalError) as caught:
        turn.commit()
    assert failure(caught.value) is UNREACHABLE
    assert _names(database) == []
    _write(database, "new")()
    assert _names(database) == ["new"]


def test_two_processes_notice_a_replaced_file(
    database: Database, file: Path, replaced: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Only the first one renames the old WAL, and the second one writes into the new file."""
    other = Database(make_url(f"sqlite:///{file}"))
    _write(other, "old as well")()
    replaced()
    _write(database, "one")()
    _write(other, "two")()
    assert _names(database) == _names(other) == ["one", "two"]
    assert [message for message in caplog.messages if "-wal-old" in message] == [
        f"The WAL of the replaced file is {file}-wal-old now"
    ]
    other.close()


def test_a_deleted_file_is_not_created_again(
    database: Database, file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Reads and writes fail until it is back; the log says so once."""
    _write(database, "kept")()
    moved = tmp_path / "elsewhere.db"
    file.rename(moved)
    for _ in range(3):
        for use in (database.read, database.write):
            with pytest.raises(OperationalError) as caught, use():
                pass
            assert failure(caught.value) is UNREACHABLE
    assert not file.exists()
    moved.rename(file)
    _write(database, "again")()
    assert _names(database) == ["kept", "again"]
    assert caplog.messages == [
        f"The database file {file} was deleted or moved. Requests get 503 until it is back",
        f"The database file {file} is there again",
    ]


def test_reads_look_for_the_file_every_few_milliseconds(
    database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In between they rely on the last look; a look costs as much as a tenth of a read. Writes look each time."""
    now = [time.monotonic() + 100]
    monkeypatch.setattr("db.sqlite.time", SimpleNamespace(monotonic=lambda: now[0]))
    _write(database, "kept")()
    assert _names(database) == ["kept"]
    file.unlink()
    now[0] += 0.009
    assert _names(database) == ["kept"]
    now[0] += 0.002
    with pytest.raises(OperationalError):
        _names(database)
    now[0] += 0.001
    with pytest.raises(OperationalError):
        _names(database)


def test_a_process_that_starts_does_not_create_a_deleted_file_again(database: Database, file: Path) -> None:
    """An application that has found the file when it was made creates its tables, but no file."""
    later = Database(make_url(f"sqlite:///{file}"))
    file.unlink()
    for one in (database, later):
        with pytest.raises(OperationalError, match="there is no database file"):
            one.create()
    assert not file.exists()
    again = Database(make_url(f"sqlite:///{file}"))
    again.create()
    assert _names(again) == []
    for one in (later, again):
        one.close()


def test_after_a_read_only_error_all_connections_are_new(database: Database, turns: Turns) -> None:
    """A process that has opened the file while it could not write to it keeps a read-only mapping until then."""
    _write(database, "first")()
    _names(database)
    before = [*sqlite(database)._readers._idle, *turns.connections._idle]
    with pytest.raises(OperationalError), database.write():
        raise error_of("INSERT", _coded(sqlite3.SQLITE_READONLY))
    _write(database, "second")()
    assert _names(database) == ["first", "second"]
    assert all(connection.closed for connection in before)

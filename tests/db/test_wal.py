"""A reader with a long transaction does not let the WAL grow without a limit, and the WAL shrinks after it."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as WaitTimeout

from app.settings import Settings
from db import wal
from db.engine import Database
from db.errors import BUSY, failure
from db.turns import Turn
from tests.db.internals import sqlite

MIB = 1024 * 1024


@pytest.fixture
def limited(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database whose WAL may have one MiB. Each failed attempt to merge it may be followed by another at once."""
    monkeypatch.setattr(wal, "_SECONDS_BETWEEN_ATTEMPTS", 0)
    with closing(Database(settings.database_url, wal_limit=1)) as created:
        yield from _filled(created)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A database with a table for bytes."""
    with closing(Database(settings.database_url)) as created:
        yield from _filled(created)


def _filled(created: Database) -> Iterator[Database]:
    created.create()
    with created.write() as connection:
        connection.execute(text("CREATE TABLE filler (content BLOB)"))
    yield created


def _write(database: Database, size: int = 100_000) -> None:
    with database.write() as connection:
        connection.execute(text("INSERT INTO filler VALUES (zeroblob(:size))"), {"size": size})


def _fill(database: Database, file: Path) -> int:
    """Write as much as the limit allows, and return the number of rows."""
    written = 0
    while _size(file) <= MIB:
        _write(database)
        written += 1
    return written


@contextmanager
def _long_read(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM filler").fetchone()
        yield


def _size(file: Path) -> int:
    return Path(f"{file}-wal").stat().st_size


def test_the_wal_shrinks_after_a_long_read(database: Database, file: Path) -> None:
    """The first write merges it, the second one begins at its start and cuts it off."""
    with _long_read(file):
        _write(database, 3 * wal.USUAL_BYTES)
        _write(database)
        assert _size(file) > 3 * wal.USUAL_BYTES
    _write(database)
    _write(database)
    assert _size(file) <= wal.USUAL_BYTES


def test_nothing_is_written_above_the_limit(limited: Database, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The write is refused as long as the reader is there, then the WAL is merged and the service goes on by itself."""
    with _long_read(file), caplog.at_level(logging.WARNING, "db.wal"):
        written = _fill(limited, file)
        size = _size(file)
        assert MIB < size < 1.2 * MIB
        for _ in range(3):
            with pytest.raises(WaitTimeout) as raised:
                _write(limited)
            assert failure(raised.value) is BUSY
        assert _size(file) == size
        with limited.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM filler")).scalar_one() == written
    _write(limited)
    assert _size(file) < MIB
    assert [(record.levelname, record.message[:30]) for record in caplog.records] == [
        ("ERROR", "The WAL has reached its limit:"),
        ("WARNING", "The WAL is merged: the databas"),
    ]


def test_attempts_to_merge_the_wal_are_rare(limited: Database, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each one keeps other writers out for a moment."""
    monkeypatch.setattr(wal, "_SECONDS_BETWEEN_ATTEMPTS", 3600)
    with _long_read(file):
        _fill(limited, file)
        with pytest.raises(WaitTimeout):
            _write(limited)
    with pytest.raises(WaitTimeout):
        _write(limited)


def test_without_a_limit_everything_is_written(settings: Settings, file: Path) -> None:
    """0 means none."""
    with closing(Database(settings.database_url, wal_limit=0)) as created:
        for database in _filled(created):
            with _long_read(file):
                _write(database, 2 * wal.USUAL_BYTES)
                _write(database)


def test_requests_are_refused_above_the_limit(limited: Database, file: Path) -> None:
    """All that wait, without a wait on the event loop."""

    async def write() -> list[BaseException | None]:
        calls = [limited.run(lambda: _write(limited)) for _ in range(3)]
        return list(await asyncio.gather(*calls, return_exceptions=True))

    with _long_read(file):
        _write(limited, 2 * MIB)
        assert [type(outcome) for outcome in asyncio.run(write())] == [WaitTimeout] * 3
    assert asyncio.run(write()) == [None] * 3


def test_the_event_loop_does_not_merge_a_large_wal(
    database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit that may do so is on a thread, though commits are quick."""
    threads: list[str] = []
    commit = Turn.commit

    def noted(turn: Turn) -> None:
        threads.append(threading.current_thread().name)
        commit(turn)

    monkeypatch.setattr("db.writer.QUICK_COMMIT_SECONDS", 3600)
    monkeypatch.setattr(Turn, "commit", noted)

    async def write() -> None:
        for _ in range(10):
            await database.run(lambda: _write(database))

    asyncio.run(write())
    assert set(threads) == {"MainThread"}
    with _long_read(file):
        _write(database, 2 * wal.USUAL_BYTES)
        threads.clear()
        asyncio.run(write())
    assert set(threads) == {"writer"}


def test_a_write_asks_for_the_size_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing is in its way, this is all that the limit costs."""
    turns = sqlite(database)._turns
    asked: list[int] = []

    def noted() -> int:
        asked.append(1)
        return 0

    monkeypatch.setattr(turns.file, "wal_bytes", noted)
    turn = turns.try_begin()
    assert turn is not None
    turn.commit()
    assert asked == [1]

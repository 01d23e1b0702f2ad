"""Group commit: calls that wait for each other share a commit, and no result is given out before it."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import SQLAlchemyError

from db import writer
from db.engine import Database
from db.errors import BUSY, FULL, failure
from db.items import ITEMS
from db.sqlite import error_of
from db.turns import Turn, Turns
from tests.db.internals import sqlite


@pytest.fixture
def turns(database: Database) -> Turns:
    """The turns of the database."""
    return sqlite(database)._turns


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that commit, once for each commit. On a slow machine, a group has time, too."""
    monkeypatch.setattr(writer, "GROUP_SECONDS", 60)
    threads: list[str] = []
    commit = Turn.commit

    def count(turn: Turn) -> None:
        threads.append(threading.current_thread().name)
        commit(turn)

    monkeypatch.setattr(Turn, "commit", count)
    return threads


def _write(database: Database, name: str, error: BaseException | None = None) -> Callable[[], str]:
    def call() -> str:
        with database.write() as connection:
            ITEMS.add(connection, {"name": name, "description": None})
        if error is not None:
            raise error
        return name

    return call


def _names(database: Database) -> list[str]:
    with database.read() as connection:
        return [row["name"] for row in ITEMS.page(connection, "id", {}, None, 1000)]


def _all(*calls: Awaitable[Any]) -> list[Any]:
    """Wait for all calls; return their results and exceptions."""

    async def gather() -> list[Any]:
        return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(gather())


def test_a_call_alone_does_not_change_the_thread(database: Database, commits: list[str]) -> None:
    """Its result comes after the commit."""

    async def one() -> None:
        assert await database.run(_write(database, "alone")) == "alone"
        assert _names(database) == ["alone"]

    asyncio.run(one())
    assert commits == ["MainThread"]


def test_after_a_slow_commit_a_thread_commits(database: Database, commits: list[str]) -> None:
    """The event loop goes on with other requests meanwhile."""

    async def one() -> None:
        sqlite(database).writer()._commit_seconds = 1
        await database.run(_write(database, "alone"))

    asyncio.run(one())
    assert commits == ["writer"]


def test_calls_together_do_not_change_the_thread_while_commits_are_very_quick(
    database: Database, commits: list[str]
) -> None:
    """As in memory. Nobody knows that before the first commit."""

    async def two() -> None:
        for seconds in (0, 1):
            sqlite(database).writer()._commit_seconds = seconds
            await asyncio.gather(*(database.run(_write(database, "x")) for _ in range(2)))

    asyncio.run(two())
    assert commits == ["MainThread", "writer"]


def test_calls_that_wait_share_a_commit(database: Database, commits: list[str]) -> None:
    """They run in the order in which they came, and a thread commits."""
    names = [str(number) for number in range(20)]
    assert _all(*(database.run(_write(database, name)) for name in names)) == names
    assert _names(database) == names
    assert commits == ["writer"]


def test_a_group_has_a_limit(database: Database, commits: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The others get the next turn: by number, and by time."""
    monkeypatch.setattr(writer, "GROUP_CALLS", 8)
    _all(*(database.run(_write(database, "x")) for _ in range(20)))
    assert len(commits) == 3
    monkeypatch.setattr(writer, "GROUP_SECONDS", 0)
    _all(*(database.run(_write(database, "x")) for _ in range(4)))
    assert len(commits) == 7


def test_an_exception_undoes_its_own_call_alone(database: Database, commits: list[str]) -> None:
    """It is raised after the commit, too."""
    error = LookupError()
    calls = [_write(database, "first"), _write(database, "lost", error), _write(database, "last")]
    assert _all(*(database.run(call) for call in calls)) == ["first", error, "last"]
    assert _names(database) == ["first", "last"]
    assert len(commits) == 1


def test_a_commit_that_fails_fails_the_whole_group(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a call that raised: what it raised was decided on what is not there. Later calls succeed."""
    driver = sqlite3.OperationalError("simulated")
    driver.sqlite_errorcode = sqlite3.SQLITE_FULL

    def fail(turn: Turn) -> None:
        turn.rollback()
        raise error_of("COMMIT", driver)

    calls = [_write(database, "lost"), _write(database, "lost", LookupError())]
    with monkeypatch.context() as patch:
        patch.setattr(Turn, "commit", fail)
        outcomes = _all(*(database.run(call) for call in calls))
    assert [failure(outcome) for outcome in outcomes] == [FULL, FULL]
    assert _all(database.run(_write(database, "kept"))) == ["kept"]
    assert _names(database) == ["kept"]


def test_a_transaction_that_sqlite_has_rolled_back_fails_those_before_it_only(database: Database) -> None:
    """Calls that have not run yet get another turn."""

    def roll_back() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("ROLLBACK")
            raise LookupError

    calls = [_write(database, "lost"), roll_back, _write(database, "kept")]
    first, second, third = _all(*(database.run(call) for call in calls))
    assert isinstance(first, LookupError)
    assert isinstance(second, LookupError)
    assert third == "kept"
    assert _names(database) == ["kept"]


def test_a_call_that_was_cancelled_before_it_ran_is_dropped(database: Database, turns: Turns) -> None:
    """The others of its group run."""

    async def cancel() -> None:
        turn = turns.try_begin()
        assert turn is not None
        dropped = asyncio.ensure_future(database.run(_write(database, "dropped")))
        kept = asyncio.ensure_future(database.run(_write(database, "kept")))
        await asyncio.sleep(0)
        dropped.cancel()
        turn.rollback()
        assert await kept == "kept"

    asyncio.run(cancel())
    assert _names(database) == ["kept"]


def test_a_call_that_is_cancelled_during_the_commit_is_committed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call takes effect as a whole or not at all."""
    committing, go_on = threading.Event(), threading.Event()
    commit = Turn.commit

    def wait(turn: Turn) -> None:
        committing.set()
        go_on.wait()
        commit(turn)

    monkeypatch.setattr(Turn, "commit", wait)

    async def cancel() -> None:
        tasks = [asyncio.ensure_future(database.run(_write(database, name))) for name in ("a", "b")]
        await asyncio.to_thread(committing.wait)
        tasks[0].cancel()
        go_on.set()
        assert await asyncio.gather(*tasks, return_exceptions=True) != []
        assert tasks[0].cancelled()

    asyncio.run(cancel())
    assert _names(database) == ["a", "b"]


@pytest.mark.parametrize("kind", ["another worker", "another program"])
def test_the_event_loop_goes_on_while_others_write(database: Database, turns: Turns, file: Path, kind: str) -> None:
    """A read during that time sees the committed state; calls that came meanwhile share the next turn."""
    turns.seconds = 60
    other = sqlite3.connect(file, isolation_level=None)

    async def wait() -> None:
        turn = turns.try_begin() if kind == "another worker" else None
        if turn is None:
            other.execute("BEGIN IMMEDIATE")
        calls = [asyncio.ensure_future(database.run(_write(database, str(number)))) for number in range(3)]
        for _ in range(20):
            await asyncio.sleep(0)
            assert _names(database) == []
        if turn is None:
            other.execute("COMMIT")
        else:
            turn.rollback()
        assert await asyncio.gather(*calls) == ["0", "1", "2"]

    asyncio.run(wait())
    other.close()


@pytest.mark.parametrize("kind", ["another worker", "another program"])
def test_a_call_waits_only_as_long_as_it_may(database: Database, turns: Turns, file: Path, kind: str) -> None:
    """Then it is busy, and was not called. Later calls do not suffer from it."""
    turns.seconds = 0.05
    other = sqlite3.connect(file, isolation_level=None)

    async def wait() -> None:
        turn = turns.try_begin() if kind == "another worker" else None
        if turn is None:
            other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SQLAlchemyError) as caught:
            await database.run(_write(database, "late"))
        assert failure(caught.value) is BUSY
        if turn is None:
            other.execute("COMMIT")
        else:
            turn.rollback()
        turns.seconds = 60
        assert await database.run(_write(database, "in time")) == "in time"

    asyncio.run(wait())
    other.close()
    assert _names(database) == ["in time"]


def test_a_missing_database_refuses_all_calls(database: Database, file: Path, tmp_path: Path) -> None:
    """When it is back, calls succeed again."""
    elsewhere = file.rename(tmp_path / "elsewhere")
    outcomes = _all(*(database.run(_write(database, "lost")) for _ in range(3)))
    assert [failure(outcome) and failure(outcome).status for outcome in outcomes] == [503] * 3  # type: ignore[union-attr]
    elsewhere.rename(file)
    assert _all(database.run(_write(database, "kept"))) == ["kept"]


def test_the_end_of_the_event_loop_ends_the_turn(database: Database, turns: Turns) -> None:
    """A turn that begins on the thread when the loop is gone is given back."""

    async def leave() -> None:
        task = asyncio.ensure_future(database.run(_write(database, "lost")))
        await asyncio.sleep(0.01)
        task.cancel()

    turn = turns.try_begin()
    assert turn is not None
    asyncio.run(leave())
    turn.rollback()
    turns.begin().rollback()
    assert _names(database) == []


def test_writing_on_the_event_loop_outside_of_a_call_is_refused(database: Database) -> None:
    """It would wait there, and every other request with it."""

    async def write() -> None:
        with pytest.raises(RuntimeError, match="unsafe method"):
            database.write()
        assert await asyncio.to_thread(_write(database, "on a thread")) == "on a thread"

    asyncio.run(write())
    assert _names(database) == ["on a thread"]

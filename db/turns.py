"""Turns: the right of a process to write to an SQLite file, with one transaction for all calls that share the turn."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as TurnTimeout

from db.file_lock import FileLock
from db.sqlite import Connections, DatabaseFile, error_of, is_code, raw
from db.wal import LIMIT, Wal


class Outcome(NamedTuple):
    """What a call returned or raised. It counts only once the turn's transaction is committed."""

    result: Any = None
    error: BaseException | None = None


class Turn:
    """The lock and a transaction. `commit()` or `rollback()` ends both; neither leaves anything of the turn behind.

    `failure` is set when SQLite has rolled back the transaction by itself, as it does when the disk is full.
    """

    def __init__(self, turns: "Turns", lock: FileLock, connection: Connection, generation: int) -> None:
        self.connection = connection
        self.failure: BaseException | None = None
        self._turns = turns
        self._lock = lock
        self._raw = raw(connection)
        self._generation = generation
        self._keep = True
        self._has_written = False

    def call(self, function: Callable[[], Any]) -> Outcome:
        """Call a function. If it raises, what it wrote is undone, and only that."""
        self._turns.local.turn = self
        self._has_written = False
        try:
            outcome = Outcome(function())
        except StopIteration as error:  # no future can hold it
            outcome = Outcome(error=RuntimeError(f"the call raised StopIteration: {error}"))
        except BaseException as error:  # noqa: BLE001 -- for the caller, after the commit
            if isinstance(error, SQLAlchemyError):
                self._note(error)
            outcome = Outcome(error=error)
        self._turns.local.turn = None
        if self._has_written:
            try:
                self._leave("call", outcome.error)
            except SQLAlchemyError as error:
                return Outcome(error=error)
        return outcome

    def block(self) -> AbstractContextManager[Connection]:
        """Let what is written inside be undone if an exception leaves it."""
        return _Block(self)

    def begin_block(self) -> str:
        """Begin a savepoint, and return its name.

        That of the first block is the call's, too: nothing was written before. The call ends it.
        """
        if self._has_written:
            self._execute("SAVEPOINT block")  # a name may repeat: the innermost one counts
            return "block"
        self._execute("SAVEPOINT call")
        self._has_written = True
        return "call"

    def end_block(self, savepoint: str, error: BaseException | None) -> None:
        """Undo what was written in a block if there is an error. End its savepoint, unless it is the call's."""
        if savepoint == "block":
            self._leave(savepoint, error)
        elif error is not None:
            self._undo(savepoint, error)

    def commit(self) -> None:
        """Commit, and let the next process write. Raise `SQLAlchemyError` if nothing was committed."""
        try:
            if self._turns.file.check() != self._generation:
                raise error_of("COMMIT", sqlite3.OperationalError("the database file was replaced"))
            self._execute("COMMIT")
        except SQLAlchemyError as error:
            self._note(error)
            raise
        finally:
            self._end()

    def rollback(self, error: BaseException | None = None) -> None:
        """Undo everything because of an error, and let the next process write."""
        if isinstance(error, SQLAlchemyError):
            self._note(error)
        self._end()

    def _leave(self, savepoint: str, error: BaseException | None) -> None:
        if error is not None:
            self._undo(savepoint, error)
        if self.failure is None:
            self._execute(f"RELEASE {savepoint}")

    def _undo(self, savepoint: str, error: BaseException) -> None:
        if self._raw.in_transaction:
            self._execute(f"ROLLBACK TO {savepoint}")
        else:
            self.failure = self.failure or error

    def _execute(self, statement: str) -> None:
        try:
            self._raw.execute(statement)
        except sqlite3.Error as error:
            self.failure = error_of(statement, error)
            raise self.failure from error

    def _note(self, error: SQLAlchemyError) -> None:
        self._keep = False
        if is_code(error, sqlite3.SQLITE_READONLY):
            self._turns.file.renew()

    def _end(self) -> None:
        if self._raw.in_transaction:
            with suppress(sqlite3.Error):
                self._raw.execute("ROLLBACK")
        if self._keep:
            self._turns.connections.give(self.connection)
        else:
            self.connection.close()
        self._lock.release()


class _Block:
    """A block of a turn. A class costs a third of a generator, and every write pays it."""

    __slots__ = ("_savepoint", "_turn")

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    def __enter__(self) -> Connection:
        self._savepoint = self._turn.begin_block()
        return self._turn.connection

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self._turn.end_block(self._savepoint, error)


class Turns:
    """Gives out turns. `local.turn` is the one in which the present thread is calling a function."""

    def __init__(self, file: DatabaseFile, seconds: float, wal_limit: int) -> None:
        self.file = file
        self.wal = Wal(file, wal_limit)
        self.connections = Connections(file, "PRAGMA busy_timeout = 0", LIMIT)
        self.local = threading.local()
        self.seconds = seconds
        self.lock_path = f"{file.path}-lock"

    def current(self) -> Turn | None:
        """Return the turn in which this thread is calling a function."""
        return getattr(self.local, "turn", None)

    def try_begin(self) -> Turn | None:
        """Begin a turn without waiting. Return None if that is not possible. Raise `SQLAlchemyError`."""
        if self.wal.has_grown():
            return None
        lock = FileLock(self.lock_path)
        try:
            return self._begin(lock, 0) if lock.try_acquire() else None
        except SQLAlchemyError as error:
            if is_code(error, sqlite3.SQLITE_BUSY):
                return None
            raise

    def begin_on_thread(self) -> Turn:
        """Begin a turn; wait for other processes of the service without a limit. Raise `SQLAlchemyError`."""
        lock = FileLock(self.lock_path)
        lock.acquire()
        return self._begin(lock, self.seconds)

    def begin(self) -> Turn:
        """Begin a turn within the limit. Raise `SQLAlchemyError`."""
        lock = FileLock(self.lock_path)
        if not lock.acquire_within(self.seconds):
            raise self.timeout()
        return self._begin(lock, self.seconds)

    def timeout(self) -> TurnTimeout:
        """Return the exception for a write that has waited too long."""
        return TurnTimeout(f"others have been writing for {self.seconds:g} seconds")

    def _begin(self, lock: FileLock, seconds: float) -> Turn:
        try:
            connection = self._in_transaction(seconds)
        except BaseException:
            lock.release()
            raise
        return Turn(self, lock, connection, self.file.generation)

    def _in_transaction(self, seconds: float, *, again: bool = True) -> Connection:
        """Return a connection in a transaction.

        A process that has opened a file while it was read-only cannot write to it until all its connections are closed.
        """
        connection = self.connections.take(self.file.check())
        try:
            if seconds and self.wal.is_over_limit():
                self.wal.shrink(raw(connection))
            _begin_immediate(raw(connection), seconds)
        except TurnTimeout:
            self.connections.give(connection)
            raise
        except sqlite3.Error as error:
            connection.close()
            if again and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY:
                self.file.renew()
                return self._in_transaction(seconds, again=False)
            raise error_of("BEGIN IMMEDIATE", error) from error
        return connection


def _begin_immediate(connection: sqlite3.Connection, seconds: float) -> None:
    """Take SQLite's own lock. If another program has it, wait for up to `seconds`; few turns pay for setting that."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if not seconds or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("PRAGMA busy_timeout = 0")

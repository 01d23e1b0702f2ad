"""The engine: one `Database` per process, which hands out connections to read and transactions to write."""

import asyncio
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL

from db import file_lock
from db.folder import create_folder
from db.schema import metadata
from db.sqlite import Connections, DatabaseFile
from db.turns import Turns
from db.writer import Writer

WRITE_TIMEOUT = 5
_LEAST_FREE_BYTES = 1024 * 1024
_CREATION_LOCK = 0x6974656D73  # any number that only this service uses
_ON_EVENT_LOOP = (
    "write() would stop all requests of this process while it waits for its turn. "
    "Write in a plain function of an operation with an unsafe method (POST, PUT, PATCH, DELETE), or on a thread."
)


class Database:
    """Connections to one database. Opens none before the first is asked for.

    `write_timeout` is how many seconds a write may wait for others; only on SQLite.
    """

    connections = 10  # at most at a time, to a database on the network

    def __init__(self, url: URL, write_timeout: float = WRITE_TIMEOUT) -> None:
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._read: Callable[[], AbstractContextManager[Connection]]
        self._transaction: Callable[[], AbstractContextManager[Connection]]
        if self.is_sqlite:
            self._sqlite = _SQLite(Path(str(url.database)), write_timeout)
            self._read, self._transaction = self._sqlite.read, self._sqlite.transaction
        else:
            self._engine = create_engine(
                url, pool_pre_ping=True, pool_size=self.connections, max_overflow=0, hide_parameters=True
            )
            self._read = self._engine.execution_options(isolation_level="AUTOCOMMIT").connect
            self._transaction = self._engine.begin

    def read(self) -> AbstractContextManager[Connection]:
        """A connection for one statement that reads."""
        return self._read()

    def transaction(self) -> AbstractContextManager[Connection]:
        """A transaction that writes, for code that serves no request: return commits, raise rolls back."""
        return self._transaction()

    def write(self) -> AbstractContextManager[Connection]:
        """A transaction that writes: return commits, raise rolls back.

        On SQLite it is the only one. In a call of `run()`, it is a part of that call's transaction.
        """
        return self._sqlite.write() if self.is_sqlite else self._transaction()

    async def run(self, function: Callable[[], Any]) -> Any:
        """Call a function that writes to SQLite, on the event loop, in one transaction with others that wait.

        What it writes is committed when this returns. If it raises, that is undone, and nothing else.
        """
        return await self._sqlite.writer().run(function)

    def create(self) -> None:
        """Create the tables that are not there yet, once, whatever the number of processes that try."""
        if self.is_sqlite:
            self._sqlite.create_file()
        with self.transaction() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATION_LOCK})
            metadata.create_all(connection)

    def is_full(self) -> bool:
        """Return whether the disk of an SQLite database has no space for a write. A server reports that by itself."""
        return self.is_sqlite and self._sqlite.free_bytes() < _LEAST_FREE_BYTES

    def close(self) -> None:
        """Close all connections."""
        if self.is_sqlite:
            self._sqlite.close()
        else:
            self._engine.dispose()


class _SQLite:
    """An SQLite file: writers take turns, and readers do not wait for them."""

    def __init__(self, path: Path, write_timeout: float) -> None:
        self._path = path
        self._has_existed = path.exists()
        self._file = DatabaseFile(path)
        self._readers = Connections(self._file)
        self._turns = Turns(self._file, write_timeout)
        self._writer: Writer | None = None
        weakref.finalize(self, _close, self._file, self._turns.lock_path)  # at the end of the process, too

    def read(self) -> AbstractContextManager[Connection]:
        turn = self._turns.current()
        return self._readers.use() if turn is None else nullcontext(turn.connection)

    def write(self) -> AbstractContextManager[Connection]:
        turn = self._turns.current()
        if turn is not None:
            return turn.block()
        if _is_on_event_loop():
            raise RuntimeError(_ON_EVENT_LOOP)
        return self.transaction()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        turn = self._turns.begin()
        try:
            yield turn.connection
        except BaseException as error:
            turn.rollback(error)
            raise
        turn.commit()

    def writer(self) -> Writer:
        """Return the writer of the running event loop."""
        loop = asyncio.get_running_loop()
        if self._writer is None or self._writer.loop is not loop:
            self._writer = Writer(self._turns, loop)
        return self._writer

    def create_file(self) -> None:
        """Create the file, unless it has been there: a worker that starts must not hide that it was deleted."""
        if not self._has_existed:
            create_folder(self._path.parent)
            self._path.touch()
            self._has_existed = True

    def free_bytes(self) -> int:
        status = os.statvfs(self._path.parent)
        return status.f_frsize * (status.f_bavail if os.geteuid() else status.f_bfree)

    def close(self) -> None:
        _close(self._file, self._turns.lock_path)


def _close(file: DatabaseFile, lock_path: str) -> None:
    """Close all connections; leave one file if no other process has the database open."""
    for pool in file.pools:
        pool.close()
    if not Path(f"{file.path}-wal").exists():  # SQLite removes it with the last connection of all processes
        file_lock.remove(lock_path)


def _is_on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

"""The engine: one `Database` per process, which hands out connections to read and transactions to write."""

import asyncio
import os
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.engine import URL

from db import copies, file_lock, revisions
from db.folder import create_folder
from db.postgresql import Pool, PostgreSQL
from db.sqlite import Connections, DatabaseFile
from db.turns import Turns
from db.writer import OnCommit, Writer

WRITE_TIMEOUT = 5
WAL_LIMIT = 1024
_MIB = 1024 * 1024
_LEAST_FREE_BYTES = _MIB
_ON_EVENT_LOOP = (
    "write() would stop all requests of this process while it waits for its turn. "
    "Write in a plain function of an operation with an unsafe method (POST, PUT, PATCH, DELETE), or on a thread."
)


class Database:
    """Connections to one database. Opens none before the first is asked for.

    `write_timeout` is how many seconds a write may wait for others. `wal_limit`, in MiB, is for SQLite: `db.wal`.
    `on_commit` is called for every commit of several calls of `run()`; only on SQLite.
    """

    def __init__(
        self,
        url: URL,
        write_timeout: float = WRITE_TIMEOUT,
        *,
        wal_limit: int = WAL_LIMIT,
        on_commit: OnCommit | None = None,
    ) -> None:
        self._url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._database: _SQLite | PostgreSQL = (
            _SQLite(Path(str(url.database)), write_timeout, wal_limit * _MIB, on_commit)
            if self.is_sqlite
            else PostgreSQL(url, write_timeout)
        )

    def read(self) -> AbstractContextManager[Connection]:
        """A connection for one statement that reads."""
        return self._database.read()

    def write(self) -> AbstractContextManager[Connection]:
        """A transaction that writes: return commits, raise rolls back. Inside of another `write()`, a savepoint.

        In a call of `run()` on SQLite, it is a part of that call's transaction.
        """
        return self._database.write()

    async def run(self, function: Callable[[], Any]) -> Any:
        """Call a function that writes, without stopping the event loop.

        On SQLite, it shares a transaction with others that wait. What it writes is committed when this returns. If it
        raises, that is undone, and nothing else.
        """
        return await self._database.run(function)

    @property
    def run_read(self) -> Callable[[Callable[[], Any]], Awaitable[Any]] | None:
        """What calls a function that reads, on a thread; None for SQLite, which is faster than a switch of threads."""
        return self._database.run_read

    def create(self) -> None:
        """Create or migrate the tables of SQLite, once, whatever the number of processes that try.

        Those of PostgreSQL must be there: several instances of the service may share them. Raise `RevisionError`.
        """
        with self._database.opened(), self.read() as connection:
            found = revisions.find(connection)
        if not self.is_sqlite:
            revisions.require_current(found)
        elif not found.is_current:
            from db.migrate import migrate  # Alembic takes 80 ms to import

            migrate(self._url)

    def is_full(self) -> bool:
        """Return whether the disk of an SQLite database has no space for a write. A server reports that by itself."""
        return isinstance(self._database, _SQLite) and self._database.free_bytes() < _LEAST_FREE_BYTES

    def pool(self) -> Pool | None:
        """Return the state of the connections to a server; None for SQLite."""
        return self._database.pool() if isinstance(self._database, PostgreSQL) else None

    def close(self) -> None:
        """Close all connections."""
        self._database.close()


class _SQLite:
    """An SQLite file: writers take turns, and readers do not wait for them."""

    run_read = None

    def __init__(self, path: Path, write_timeout: float, wal_limit: int, on_commit: OnCommit | None) -> None:
        self._on_commit = on_commit
        self._path = path
        self._has_existed = path.exists()
        self._file = DatabaseFile(path)
        self._readers = Connections(self._file)
        self._turns = Turns(self._file, write_timeout, wal_limit)
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
        self._turns.local.turn = turn
        try:
            yield turn.connection
        except BaseException as error:
            turn.rollback(error)
            raise
        finally:
            self._turns.local.turn = None
        turn.commit()

    async def run(self, function: Callable[[], Any]) -> Any:
        return await self.writer().run(function)

    def writer(self) -> Writer:
        """Return the writer of the running event loop."""
        loop = asyncio.get_running_loop()
        if self._writer is None or self._writer.loop is not loop:
            self._writer = Writer(self._turns, loop, self._on_commit)
        return self._writer

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Create the file, unless it has been there: a worker that starts must not hide that it was deleted.

        Meanwhile, no other process migrates or replaces it.
        """
        if not self._has_existed:
            create_folder(self._path.parent)
        with copies.locked(self._path):
            if not self._has_existed:
                self._path.touch()
                self._has_existed = True
            yield

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

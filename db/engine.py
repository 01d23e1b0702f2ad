"""The engine: one `Database` per process, which hands out connections to read and transactions to write."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from db import copies, revisions
from db.folder import create_folder

BUSY_TIMEOUT_MS = 5000
# https://sqlite.org/pragma.html: WAL lets readers read while one writes; FULL makes an acknowledged write survive power
# loss. busy_timeout comes first, so that the others wait for a lock too.
_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)


class ImmediateSQLite(SQLiteDialect_pysqlite):
    """SQLite whose transactions take the write lock as they begin: what they read, nobody changes before they write."""

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin. An event of the engine would do it as well, at more than twice the cost of the whole transaction."""
        dbapi_connection.execute("BEGIN IMMEDIATE")


registry.register("sqlite.immediate", __name__, ImmediateSQLite.__name__)


class _Kept:
    """Connections of an engine that stay open from one use to the next, unless the database failed in it.

    Making and closing SQLAlchemy's `Connection` costs more than a statement of SQLite. Any number of threads may ask.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: list[Connection] = []

    @contextmanager
    def use(self) -> Iterator[Connection]:
        """A connection that nobody else has at the time."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._engine.connect()
        keep = self._idle.append
        try:
            yield connection
        except SQLAlchemyError:
            keep = Connection.close
            raise
        finally:
            keep(connection)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """The same, in a transaction: return commits, raise rolls back."""
        with self.use() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Close those that nobody uses."""
        while self._idle:
            self._idle.pop().close()


class Database:
    """Connections to one database. Opens none before the first is asked for."""

    connections = 10  # at most at a time, to a database on the network

    def __init__(self, url: URL) -> None:
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._read: Callable[[], AbstractContextManager[Connection]]
        self._write: Callable[[], AbstractContextManager[Connection]]
        if self.is_sqlite:
            self._engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
            event.listen(self._engine, "connect", prepare_sqlite)
            immediate = create_engine(
                url.set(drivername="sqlite+immediate"), pool=self._engine.pool, hide_parameters=True
            )
            self._kept = [_Kept(self._engine), _Kept(immediate)]
            self._read, self._write = self._kept[0].use, self._kept[1].transaction
        else:
            self._engine = create_engine(
                url, pool_pre_ping=True, pool_size=self.connections, max_overflow=0, hide_parameters=True
            )
            self._kept = []
            self._read = self._engine.execution_options(isolation_level="AUTOCOMMIT").connect
            self._write = self._engine.begin

    def read(self) -> AbstractContextManager[Connection]:
        """A connection for one statement that reads."""
        return self._read()

    def write(self) -> AbstractContextManager[Connection]:
        """A transaction that writes: return commits, raise rolls back. On SQLite it is the only one."""
        return self._write()

    def create(self) -> None:
        """Create or migrate the tables of SQLite, once, whatever the number of processes that try.

        Those of PostgreSQL must be there: several instances of the service may share them. Raise `RevisionError`.
        """
        url = self._engine.url
        file = Path(str(url.database))
        if self.is_sqlite:
            create_folder(file.parent)
        with copies.locked(file) if self.is_sqlite else nullcontext(), self.read() as connection:
            found = revisions.find(connection)
        if not self.is_sqlite:
            revisions.require_current(found)
        elif not found.is_current:
            from db.migrate import migrate  # Alembic takes 80 ms to import

            migrate(url)

    def close(self) -> None:
        """Close all connections."""
        for kept in self._kept:
            kept.close()
        self._engine.dispose()


def prepare_sqlite(dbapi_connection: Any, _record: Any) -> None:
    """Set up a new connection; for the event `connect`."""
    dbapi_connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
    for pragma in _PRAGMAS:
        dbapi_connection.execute(pragma)
    _use_wal(dbapi_connection)


def _use_wal(dbapi_connection: Any) -> None:
    """Switch to WAL. While another process does so for the first time, SQLite reports busy without waiting."""
    end = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            dbapi_connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return

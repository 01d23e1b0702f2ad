"""The engine: one `Database` per process, which hands out connections to read and transactions to write."""

import sqlite3
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL

from db.schema import metadata

BUSY_TIMEOUT_MS = 5000
# https://sqlite.org/pragma.html: WAL lets readers read while one writes; FULL makes an answered write survive power
# loss. busy_timeout comes first, so that the others wait for a lock too.
_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)
_CREATION_LOCK = 0x6974656D73  # any number that only this service uses


class Database:
    """Connections to one database. Opens none before the first is asked for."""

    connections = 10  # at most at a time, to a database on the network

    def __init__(self, url: URL) -> None:
        self.is_sqlite = url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._engine = create_engine(url)
            event.listen(self._engine, "connect", _prepare_sqlite)
            self._reader: Engine = self._engine
            self._writer: Engine = self._engine.execution_options()
            event.listen(self._writer, "begin", _begin_immediate)
        else:
            self._engine = create_engine(url, pool_pre_ping=True, pool_size=self.connections, max_overflow=0)
            self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")
            self._writer = self._engine

    def read(self) -> AbstractContextManager[Connection]:
        """A connection for one statement that reads."""
        return self._reader.connect()

    def write(self) -> AbstractContextManager[Connection]:
        """A transaction that writes: return commits, raise rolls back. On SQLite it is the only one."""
        return self._writer.begin()

    def create(self) -> None:
        """Create the tables that are not there yet, once, whatever the number of processes that try."""
        if self.is_sqlite and self._engine.url.database not in (None, "", ":memory:"):
            Path(str(self._engine.url.database)).parent.mkdir(parents=True, exist_ok=True)
        with self.write() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATION_LOCK})
            metadata.create_all(connection)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _prepare_sqlite(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
    for pragma in _PRAGMAS:
        dbapi_connection.execute(pragma)
    _use_wal(dbapi_connection)


def _use_wal(dbapi_connection: Any) -> None:
    """Switch to WAL. While another process does so for the first time, SQLite answers busy without waiting."""
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


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")

"""SQLite: its settings, the file behind the connections, and the connections that stay open."""

import contextlib
import fcntl
import logging
import os
import sqlite3
import time
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

logger = logging.getLogger(__name__)
BUSY_TIMEOUT_MS = 5000
_FRESH_SECONDS = 0.01  # for how long reads rely on a look at the path; writes look each time
# https://sqlite.org/pragma.html: WAL lets readers read while one writes; FULL makes an acknowledged write survive power
# loss. busy_timeout comes first, so that the others wait for a lock too.
_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)


def error_of(statement: str, error: sqlite3.Error) -> DBAPIError:
    """Return the exception that SQLAlchemy would raise for an error of the driver."""
    wrapped = DBAPIError.instance(statement, None, error, sqlite3.Error, hide_parameters=True)
    assert isinstance(wrapped, DBAPIError)
    return wrapped


def is_code(error: BaseException | None, code: int) -> bool:
    """Return whether an exception is SQLite's error with this primary code, https://sqlite.org/rescode.html."""
    return getattr(getattr(error, "orig", None), "sqlite_errorcode", 0) & 0xFF == code


def prepare_sqlite(dbapi_connection: Any, _record: Any = None) -> None:
    """Set up a new connection; also for SQLAlchemy's event `connect`."""
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


class DatabaseFile:
    """The file at the path of the database, which can be deleted or replaced while connections to it are open.

    An open connection would go on with the old file: writes would be acknowledged, and be in no file that has a name.
    `generation` changes whenever open connections must not be used any more.
    """

    def __init__(self, path: Path) -> None:
        self.path = str(path.absolute())
        self.generation = 0
        self._uri = f"{path.absolute().as_uri()}?mode=rw"  # never create a file: it would hide that one is missing
        self._identity: tuple[int, int] | None = None
        self._wal: int | None = None
        self._missing = False
        self._fresh_until = 0.0
        self.pools: list[Connections] = []

    def check_soon(self) -> int:
        """Return the generation of the file that was at the path a moment ago, or is there now. Raise as `check()`."""
        now = time.monotonic()
        if now < self._fresh_until and not self._missing:
            return self.generation
        self._fresh_until = now + _FRESH_SECONDS
        return self.check()

    def check(self) -> int:
        """Return the generation of the file that is at the path now. Raise `OperationalError` if there is none."""
        try:
            status = os.stat(self.path)  # noqa: PTH116 -- a Path would double the cost, and every request pays it
        except OSError as error:
            self._lost()
            raise error_of("open", sqlite3.OperationalError(f"there is no database file: {error.strerror}")) from error
        identity = status.st_dev, status.st_ino
        if identity != self._identity or self._missing:
            self._found(identity)
        return self.generation

    def connect(self) -> sqlite3.Connection:
        """Open a connection."""
        connection = sqlite3.connect(self._uri, uri=True, check_same_thread=False)
        try:
            prepare_sqlite(connection)
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # opens the WAL
        except BaseException:
            connection.close()
            raise
        if self._wal is None:
            with contextlib.suppress(OSError):
                self._wal = os.open(f"{self.path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        return connection

    def wal_bytes(self) -> int:
        """Return the size of the WAL; 0 if none is open. Takes less than a microsecond."""
        wal = self._wal
        if wal is not None:
            with contextlib.suppress(OSError):  # another thread has closed it
                return os.fstat(wal).st_size
        return 0

    def renew(self) -> None:
        """Let no open connection of this process be used again."""
        self._drop()
        if self._wal is not None:
            os.close(self._wal)
            self._wal = None

    def _drop(self) -> None:
        self.generation += 1
        for pool in self.pools:
            pool.close()

    def _lost(self) -> None:
        if not self._missing and self._identity is not None:
            logger.error("The database file %s was deleted or moved. Requests get 503 until it is back", self.path)
            self._drop()
        self._missing = True

    def _found(self, identity: tuple[int, int]) -> None:
        if self._missing and self._identity is not None:
            logger.warning("The database file %s is there again", self.path)
        if self._identity not in (None, identity):
            logger.warning("The database file %s was replaced: the new one is used from now on", self.path)
            self._set_old_wal_aside()
            self.renew()
        self._identity, self._missing = identity, False

    def _set_old_wal_aside(self) -> None:
        """Rename the WAL of the replaced file, if it was left: SQLite would write its pages into the new file.

        All workers do this. The lock on the old WAL, and its inode, which cannot be used again while it is open, make
        sure that none of them renames the WAL of the new file.
        """
        if self._wal is None:
            return
        wal, shm = Path(f"{self.path}-wal"), Path(f"{self.path}-shm")
        with contextlib.suppress(OSError):
            fcntl.flock(self._wal, fcntl.LOCK_EX)
            if os.path.samestat(wal.stat(), os.fstat(self._wal)):
                logger.warning("The WAL of the replaced file is %s-old now", wal)
                wal.replace(f"{wal}-old")
                shm.replace(f"{shm}-old")


class Connections:
    """Connections that stay open from one use to the next, unless the database failed in it.

    Making and closing SQLAlchemy's `Connection` costs more than a statement of SQLite. Any number of threads may ask.
    After a fork, the child leaves its parent's connections alone: SQLite cannot use or close them there.
    """

    def __init__(self, file: DatabaseFile, *pragmas: str) -> None:
        self._file = file
        self._pragmas = pragmas
        self._engine = _engine(file)
        self._idle: list[Connection] = []
        self._process = os.getpid()
        self._foreign: list[Connection] = []
        file.pools.append(self)

    def take(self, generation: int) -> Connection:
        """Return a connection that nobody else has, to the file of this generation."""
        self._leave_to_parent()
        try:
            return self._idle.pop()
        except IndexError:
            return self._open(generation)

    def give(self, connection: Connection) -> None:
        """Keep a connection for the next use."""
        if connection.info["generation"] == self._file.generation:
            self._idle.append(connection)
        else:
            connection.close()

    def use(self) -> "_Use":
        """Take a connection to read, and give it back."""
        return _Use(self, self._file)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._leave_to_parent()
        while self._idle:
            self._idle.pop().close()

    def _leave_to_parent(self) -> None:
        if self._process != os.getpid():
            self._foreign += self._idle
            self._idle = []
            self._process = os.getpid()

    def _open(self, generation: int) -> Connection:
        connection = self._engine.connect()
        connection.info["generation"] = generation
        for pragma in self._pragmas:
            raw(connection).execute(pragma)
        if self._file.check() != generation:  # it was replaced meanwhile, and nobody knows which one is open
            connection.close()
            raise error_of("open", sqlite3.OperationalError("the database file was replaced"))
        return connection


class _Use:
    """A connection in use. A class costs half of a generator, and every read pays it."""

    __slots__ = ("_connection", "_connections", "_file")

    def __init__(self, connections: "Connections", file: DatabaseFile) -> None:
        self._connections = connections
        self._file = file

    def __enter__(self) -> Connection:
        self._connection = connection = self._connections.take(self._file.check_soon())
        return connection

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, SQLAlchemyError):
            self._connection.close()
        else:
            self._connections.give(self._connection)


def raw(connection: Connection) -> sqlite3.Connection:
    """Return the driver's connection."""
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)


def _engine(file: DatabaseFile) -> Engine:
    return create_engine("sqlite://", creator=file.connect, poolclass=NullPool, hide_parameters=True)

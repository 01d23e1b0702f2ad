"""The published table of database errors: which status each is answered with, and whether it is worth another try."""

import sqlite3
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

DatabaseError = SQLAlchemyError


class Failure(NamedTuple):
    """How an error of the database is answered. `retry_after` is in seconds; None when trying again is no use."""

    status: int
    detail: str
    retry_after: int | None = None


BUSY = Failure(503, "The database is busy. Try again in a moment.", 1)
UNREACHABLE = Failure(503, "The database cannot be reached. Try again in a moment.", 5)
READ_ONLY = Failure(503, "The database is read-only at the moment. Try again later.", 30)
FULL = Failure(507, "The disk is full. Nothing was changed.")
CONSTRAINT = Failure(409, "The change conflicts with a constraint of the database.")

# Primary result codes, https://sqlite.org/rescode.html
SQLITE = {
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_PROTOCOL: BUSY,
    sqlite3.SQLITE_CANTOPEN: UNREACHABLE,
    sqlite3.SQLITE_IOERR: UNREACHABLE,
    sqlite3.SQLITE_NOMEM: UNREACHABLE,
    sqlite3.SQLITE_NOTADB: UNREACHABLE,
    sqlite3.SQLITE_CORRUPT: UNREACHABLE,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_CONSTRAINT: CONSTRAINT,
}
# SQLSTATEs, or their first two characters, https://www.postgresql.org/docs/current/errcodes-appendix.html
POSTGRESQL = {
    "53100": FULL,  # disk_full
    "25006": READ_ONLY,  # read_only_sql_transaction
    "08": UNREACHABLE,  # connection exception
    "23": CONSTRAINT,  # integrity constraint violation
    "40": BUSY,  # transaction rollback: serialization failure, deadlock
    "53": BUSY,  # insufficient resources: too many connections, out of memory
    "55": BUSY,  # object not in prerequisite state: lock not available
    "57": UNREACHABLE,  # operator intervention: shutdown, query cancelled
}


def failure(error: SQLAlchemyError) -> Failure | None:
    """The table's row for an error; None if it has none, which makes the error unforeseen."""
    if isinstance(error, PoolTimeoutError):  # no connection became free in the pool
        return BUSY
    if not isinstance(error, DBAPIError):
        return None
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return SQLITE.get(code & 0xFF)
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return POSTGRESQL.get(state) or POSTGRESQL.get(state[:2])
    return UNREACHABLE if isinstance(error, OperationalError | InterfaceError) else None

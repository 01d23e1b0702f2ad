"""Migrates a database with Alembic, in one transaction. Imported only when a database needs it."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, create_engine, event, inspect, text
from sqlalchemy.pool import NullPool

from db import copies, engine, revisions
from db.revisions import Found, RevisionError

logger = logging.getLogger(__name__)
BASE = "base"  # Alembic's name for a database without tables
_LOCK = 0x6974656D73  # of PostgreSQL: any number that only this service uses
_WAIT_MS = 60_000  # for other connections to SQLite
# Statements that lose nothing. All others, such as the copying of a table, come after a copy of the file.
_ADDS = re.compile(
    r"\s*(CREATE|SELECT|PRAGMA|ALTER TABLE \S+ ADD|(INSERT INTO|UPDATE|DELETE FROM) alembic_version)\b", re.IGNORECASE
)


def migrate(url: URL, target: str | None = None) -> None:
    """Bring a database to the revision `target`, by default the newest, or leave it as it is.

    Before a migration changes rows or columns of an SQLite database, a copy of the file is kept beside it. Raise
    `RevisionError`, `SQLAlchemyError`, `sqlite3.Error` or `OSError`.
    """
    target = target or revisions.newest()
    with _transaction(url) as connection:
        found = revisions.find(connection)
        if found == Found(target):
            return
        if url.get_backend_name() == "sqlite":
            _migrate_sqlite(connection, found, target)
        else:
            _run(connection, found, target)
    if found.revision is not None:
        logger.info("The database was migrated from revision %s to %s.", found.revision, target)


@contextmanager
def _transaction(url: URL) -> Iterator[Connection]:
    """A transaction that no other migration runs beside. Others wait."""
    if url.get_backend_name() == "sqlite":
        migrating = create_engine(url.set(drivername="sqlite+immediate"), poolclass=NullPool, hide_parameters=True)
        event.listen(migrating, "connect", _prepare_sqlite)
        with copies.locked(Path(str(url.database))), migrating.begin() as connection:
            yield connection
    else:
        with create_engine(url, poolclass=NullPool, hide_parameters=True).begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            connection.execute(text("SET LOCAL lock_timeout = '10s'"))  # statements wait behind one that waits
            yield connection


def _prepare_sqlite(dbapi_connection: Any, record: Any) -> None:
    engine.prepare_sqlite(dbapi_connection, record)
    dbapi_connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
    # A migration that changes a column copies the table and drops the old one: that must not delete other rows.
    dbapi_connection.execute("PRAGMA foreign_keys = OFF")


def _migrate_sqlite(connection: Connection, found: Found, target: str) -> None:
    ids = _last_ids(connection)
    with _copy_before_changes(connection, found, target):
        _run(connection, found, target)
    _keep_last_ids(connection, ids)
    if broken := connection.execute(text("PRAGMA foreign_key_check")).first():
        raise RevisionError(f"cannot be migrated: a row of {broken[0]} would refer to a missing row of {broken[2]}.")


def _run(connection: Connection, found: Found, target: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(revisions.MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    if found.revision and not found.recorded:
        command.stamp(config, found.revision)
    order = [BASE, *revisions.known()]
    move = command.downgrade if order.index(target) < order.index(found.revision or BASE) else command.upgrade
    try:
        move(config, target)
    except CommandError as error:
        raise RevisionError(f"cannot be migrated: {error}") from error


@contextmanager
def _copy_before_changes(connection: Connection, found: Found, target: str) -> Iterator[None]:
    """Keep a copy of the file before the first statement that could lose something. A failure leaves no copy."""
    file = Path(str(connection.engine.url.database))
    kept: list[Path] = []

    def before(*details: Any) -> None:
        statement = details[2]
        if not kept and found.revision is not None and not _ADDS.match(statement):
            kept.append(copies.keep(file, f"before-{target}"))

    event.listen(connection, "before_cursor_execute", before)
    try:
        yield
    except BaseException:
        for copy in kept:  # else each attempt of a service that starts again and again would leave one
            copy.unlink(missing_ok=True)
        raise
    finally:
        event.remove(connection, "before_cursor_execute", before)
    for copy in kept:
        logger.info("The database before its migration is %s.", copy)


def _last_ids(connection: Connection) -> dict[str, int]:
    """The highest id that each table ever had (https://sqlite.org/autoinc.html)."""
    if not inspect(connection).has_table("sqlite_sequence"):
        return {}
    return {row.name: row.seq for row in connection.execute(text("SELECT name, seq FROM sqlite_sequence"))}


def _keep_last_ids(connection: Connection, ids: dict[str, int]) -> None:
    """An id is never assigned twice, even if its table was copied without the row that had it."""
    tables = set(inspect(connection).get_table_names())
    for name, seq in ids.items():
        if name in tables:
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
            connection.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :seq)"), {"name": name, "seq": seq})

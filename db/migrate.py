"""Migrates a database with Alembic, in one transaction. Imported only when a database needs it."""

import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, create_engine, event, inspect, text
from sqlalchemy.pool import NullPool

from db import copies, revisions
from db.folder import sync
from db.revisions import Found, RevisionError

logger = logging.getLogger(__name__)
BASE = "base"  # Alembic's name for a database without tables
_LOCK = 0x6974656D73  # of PostgreSQL: any number that only this service uses
# Statements that lose nothing. All others, such as the copying of a table, come after a copy of the file.
_ADDS = re.compile(
    r"\s*(CREATE|DROP INDEX|SELECT|PRAGMA|ALTER TABLE \S+ ADD|(INSERT INTO|UPDATE|DELETE FROM) alembic_version)\b",
    re.IGNORECASE,
)


def migrate(url: URL, target: str | None = None) -> None:
    """Bring a database to the revision `target`, by default the newest, or leave it as it is. The file must exist.

    Before a migration changes rows or columns of an SQLite database, a copy of the file is kept beside it. Raise
    `RevisionError`, `SQLAlchemyError`, `sqlite3.Error` or `OSError`.
    """
    target = target or revisions.newest()
    with _transaction(url) as connection:
        found = revisions.find(connection)
        if found == Found(target):
            return
        if url.get_backend_name() == "sqlite":
            _migrate_sqlite(connection, found, target, Path(str(url.database)))
        else:
            _run(connection, found, target)
    if found.revision is not None:
        logger.info("The database was migrated from revision %s to %s.", found.revision, target)


@contextmanager
def _transaction(url: URL) -> Iterator[Connection]:
    """A transaction that no other migration runs beside. Others wait."""
    if url.get_backend_name() == "sqlite":
        file = Path(str(url.database))
        migrating = create_engine("sqlite://", creator=lambda: _connect(file), poolclass=NullPool, hide_parameters=True)
        with copies.locked(file), migrating.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # the driver's own begin would come too late for CREATE
            yield connection
    else:
        with create_engine(url, poolclass=NullPool, hide_parameters=True).begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            connection.execute(text("SET LOCAL lock_timeout = '10s'"))  # statements wait behind one that waits
            yield connection


def _connect(file: Path) -> sqlite3.Connection:
    connection = copies.connect(file)
    connection.execute("PRAGMA synchronous = FULL")
    # A migration that changes a column copies the table and drops the old one: that must not delete other rows.
    connection.execute("PRAGMA foreign_keys = OFF")
    return connection


def _migrate_sqlite(connection: Connection, found: Found, target: str, file: Path) -> None:
    ids = _last_ids(connection)
    with _copy_before_changes(connection, found, target, file):
        _run(connection, found, target)
        _keep_last_ids(connection, ids)
        if broken := connection.execute(text("PRAGMA foreign_key_check")).first():
            raise RevisionError(
                f"cannot be migrated: a row of {broken[0]} would refer to a missing row of {broken[2]}."
            )


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
def _copy_before_changes(connection: Connection, found: Found, target: str, file: Path) -> Iterator[None]:
    """Keep a copy of the file before the first statement that could lose something. A failure leaves no copy.

    It gets its name at the end. Else each attempt of a service that is killed and starts again would leave one.
    """
    copy = file.with_name(f".{file.name}.before-{target}")
    copy.unlink(missing_ok=True)  # of a migration that was killed

    def before(*details: Any) -> None:
        statement = details[2]
        if found.revision is not None and not _ADDS.match(statement) and not copy.exists():
            copies.copy(file, copy)

    event.listen(connection, "before_cursor_execute", before)
    try:
        yield
        if copy.exists():
            kept = copies.unused(file.with_name(copy.name.removeprefix(".")))
            copy.rename(kept)
            sync(file.parent)
            logger.info("The database before its migration is %s.", kept)
    finally:
        event.remove(connection, "before_cursor_execute", before)
        copy.unlink(missing_ok=True)


def _last_ids(connection: Connection) -> dict[str, int]:
    """The highest id that each table ever had (https://sqlite.org/autoinc.html)."""
    if not inspect(connection).has_table("sqlite_sequence"):
        return {}
    return {row.name: row.seq for row in connection.execute(text("SELECT name, seq FROM sqlite_sequence"))}


def _keep_last_ids(connection: Connection, ids: dict[str, int]) -> None:
    """An id is never assigned twice, even if its table was copied without the row that had it."""
    tables = set(inspect(connection).get_table_names())
    now = _last_ids(connection)
    for name, seq in ids.items():
        if name in tables and now.get(name) != seq:
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
            connection.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :seq)"), {"name": name, "seq": seq})

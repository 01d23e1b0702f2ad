"""Opens a database as a power cut can leave it, and compares it with what was acknowledged."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from tools.powercut.clients import Name, Row
from tools.powercut.history import History, Outcome
from tools.powercut.migration import KeptCopy
from tools.powercut.survival import Content

_ROWS = "SELECT id, name, description, created_at, updated_at, version FROM items"
_KEPT = "SELECT key, status, body FROM idempotency_responses"


def check(
    file: Path, files: Mapping[str, Content], history: History, copy: KeptCopy | None = None
) -> tuple[Outcome, str]:
    """Write the files to the empty folder of `file`, the database, and check it. Return what is wrong, too.

    `copy` is the copy that a migration must have kept.
    """
    for name, content in files.items():
        (file.parent / name).write_bytes(content)
    try:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA synchronous = OFF")  # this database needs no disk
            outcome, text = _check(connection, history)
            if outcome is Outcome.OK and copy is not None and _revision(connection) == copy.revision:
                return _check_copy(file.with_name(copy.name), copy)
            return outcome, text
    except sqlite3.DatabaseError as error:
        return Outcome.DAMAGED, f"SQLite cannot read the database: {error}"
    finally:
        for left in file.parent.iterdir():
            left.unlink()


def _check(connection: sqlite3.Connection, history: History) -> tuple[Outcome, str]:
    problems = [text for (text,) in connection.execute("PRAGMA integrity_check")]
    if problems != ["ok"]:
        return Outcome.DAMAGED, f"integrity_check: {'; '.join(problems)[:500]}"
    found, highest = _read(connection)
    outcome, text = history.compare(found)
    if outcome is Outcome.OK and highest < history.highest_id:
        return Outcome.LOST, f"id {history.highest_id} was acknowledged, and {highest + 1} is assigned next"
    return outcome, text


def _read(connection: sqlite3.Connection) -> tuple[dict[Name, Row], int]:
    """Return items and kept responses, and the highest id that was ever assigned. A new database has no tables yet."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if "items" not in tables:
        return {}, 0
    found: dict[Name, Row] = {row[0]: row for row in connection.execute(_ROWS)}
    if "idempotency_responses" in tables:
        found |= {key: (status, body.decode()) for key, status, body in connection.execute(_KEPT)}
    highest = connection.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'items'").fetchone()[0]
    return found, highest or 0


def _revision(connection: sqlite3.Connection) -> str | None:
    """Return the revision that the database records."""
    try:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    except sqlite3.OperationalError:
        return None


def _check_copy(file: Path, copy: KeptCopy) -> tuple[Outcome, str]:
    if not file.exists():
        return Outcome.LOST, f"the database is migrated, and there is no {copy.name}"
    return (Outcome.OK, "") if rows(file) == copy.rows else (Outcome.DAMAGED, f"{copy.name} has other rows")


def rows(file: Path) -> dict[Name, Row]:
    """Return the items and the kept responses of a database that nobody else uses."""
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        return _read(connection)[0]

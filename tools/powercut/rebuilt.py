"""Opens a database as a power cut can leave it, and compares it with what was acknowledged."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from tools.powercut.history import History, Outcome, Row
from tools.powercut.survival import Content

_ROWS = "SELECT id, name, description, created_at, updated_at, version FROM items"


def check(file: Path, files: Mapping[str, Content], history: History) -> tuple[Outcome, str]:
    """Write the files to the empty folder of `file`, the database, and check it. Return what is wrong, too."""
    for name, content in files.items():
        (file.parent / name).write_bytes(content)
    try:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA synchronous = OFF")  # this database needs no disk
            return _check(connection, history)
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


def _read(connection: sqlite3.Connection) -> tuple[dict[int, Row], int]:
    """Return the items, and the highest id that was ever assigned. A new database has no table yet."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'items'").fetchone():
        return {}, 0
    highest = connection.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'items'").fetchone()[0]
    return {row[0]: row for row in connection.execute(_ROWS)}, highest or 0


def rows(file: Path) -> dict[int, Row]:
    """Return the items of a database that nobody else uses."""
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        return _read(connection)[0]

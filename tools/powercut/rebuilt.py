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
    rows: dict[int, Row] = {}
    highest = 0
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'items'").fetchone():
        rows = {row[0]: row for row in connection.execute(_ROWS)}
        highest = connection.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'items'").fetchone()[0] or 0
    outcome, text = history.compare(rows)
    if outcome is Outcome.OK and highest < history.highest_id:
        return Outcome.LOST, f"id {history.highest_id} was acknowledged, and {highest + 1} is assigned next"
    return outcome, text

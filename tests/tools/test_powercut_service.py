"""The service is recorded with other pragmas than its own, in each of its connections."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tools.powercut.service import connection_class


def _pragmas(connection: sqlite3.Connection) -> list[int]:
    """Set pragmas as the service does, then read them."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    names = ("synchronous", "wal_autocheckpoint", "foreign_keys")
    return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]


def test_pragmas_replace_those_that_the_service_sets(tmp_path: Path) -> None:
    """`synchronous` is 2 (FULL) without them; the others stay."""
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        assert _pragmas(connection) == [2, 1000, 1]
    factory = connection_class({"synchronous": "NORMAL", "wal_autocheckpoint": "100"})
    with closing(sqlite3.connect(tmp_path / "b.db", factory=factory)) as connection:
        assert _pragmas(connection) == [1, 100, 1]

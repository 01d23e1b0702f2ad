"""Databases with the same rows for all contestants, in the service's own schema.

They are kept in var/bench/ and built only if they are missing or `db/` has changed. Servers get copies.
"""

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy.engine import make_url

from benchmarks.registry import CHECKOUT
from db.engine import Database

SCRATCH = CHECKOUT / "var" / "bench"
ROWS = 1_000
BYTES_PER_ROW = 400
# Two folders for a database: with a disk's fsync in every write, and without.
DISK = SCRATCH
MEMORY = Path("/dev/shm")  # noqa: S108 - Linux's tmpfs; only folders made by tempfile are used in it
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def item(item_id: int) -> dict[str, Any]:
    """Return the item with this id as in a response. Every tenth item has no description."""
    created = (EPOCH + timedelta(seconds=item_id)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "id": item_id,
        "name": f"Item {item_id:08}",
        "description": None if item_id % 10 == 0 else f"What item {item_id} is good for, in a line",
        "created_at": created,
        "updated_at": created,
    }


def is_durable(database: Path) -> bool:
    """Return whether the database is on a disk."""
    return MEMORY not in database.parents


def prepare(rows: int = ROWS, checkout: Path = CHECKOUT) -> Path:
    """Return the path of a database with the ids 1 to `rows`, made by the code of a checkout."""
    code = b"".join(path.read_bytes() for path in sorted((checkout / "db").rglob("*.*")) if path.suffix != ".pyc")
    scratch = checkout / "var" / "bench"
    path = scratch / f"rows-{rows}-{hashlib.sha256(code).hexdigest()[:8]}.sqlite"
    if not path.exists():
        scratch.mkdir(parents=True, exist_ok=True)
        for old in scratch.glob(f"rows-{rows}-*"):
            old.unlink()
        require_space(scratch, rows)
        partial = path.with_suffix(".partial")
        program = f"import pathlib, benchmarks.data as data; data.build(pathlib.Path({str(partial)!r}), {rows})"
        subprocess.run([sys.executable, "-c", program], cwd=checkout, check=True)  # noqa: S603 - the command is our own
        partial.rename(path)
    return path


def require_space(place: Path, rows: int) -> None:
    """Stop if there is not enough disk space for a database with this number of rows."""
    needed = rows * BYTES_PER_ROW
    if shutil.disk_usage(place).free < needed:
        raise SystemExit(f"{rows} rows need {needed / 1e9:.1f} GB in {place}, which are not free.")


def build(path: Path, rows: int) -> None:
    """Create the schema in a new file and insert the rows."""
    database = Database(make_url(f"sqlite:///{path}"))
    database.create()
    database.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = OFF")
    with connection:
        connection.executemany(
            "INSERT INTO items (id, version, name, description, created_at, updated_at)"
            " VALUES (:id, 1, :name, :description, :created_at, :updated_at)",
            items(rows),
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def items(rows: int) -> Iterator[dict[str, Any]]:
    """Yield the items 1 to `rows`."""
    return map(item, range(1, rows + 1))


@contextmanager
def copy(rows: int = ROWS, place: Path = MEMORY, checkout: Path = CHECKOUT) -> Iterator[Path]:
    """Copy the prepared database to a new folder, and remove it afterwards with its write-ahead log."""
    prepared = prepare(rows, checkout)
    require_space(place, rows)
    with TemporaryDirectory(prefix="bench-", dir=place) as folder:
        yield Path(shutil.copy(prepared, folder))


def count(database: Path) -> int:
    """Return the number of items in a database."""
    with closing(sqlite3.connect(database)) as connection:
        rows: int = connection.execute("SELECT count(*) FROM items").fetchone()[0]
    return rows

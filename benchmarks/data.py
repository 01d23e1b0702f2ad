"""Databases with the same rows for all contestants, in the service's own schema.

They are kept in var/bench/ and built only if they are missing or have another schema. Servers get copies.
"""

import hashlib
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy.engine import make_url

from db import schema
from db.engine import Database

SCRATCH = Path(__file__).parent.parent / "var" / "bench"
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


def prepare(rows: int = ROWS) -> Path:
    """Return the path of a database with this number of rows, with the ids 1 to `rows`."""
    version = hashlib.sha256(Path(schema.__file__).read_bytes()).hexdigest()[:8]
    path = SCRATCH / f"rows-{rows}-{version}.sqlite"
    if not path.exists():
        SCRATCH.mkdir(parents=True, exist_ok=True)
        for old in SCRATCH.glob(f"rows-{rows}-*"):
            old.unlink()
        require_space(SCRATCH, rows)
        partial = path.with_suffix(".partial")
        build(partial, rows)
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
def copy(rows: int = ROWS, place: Path = MEMORY) -> Iterator[Path]:
    """Copy the prepared database to a new folder, and remove it afterwards with its write-ahead log."""
    prepared = prepare(rows)
    require_space(place, rows)
    with TemporaryDirectory(prefix="bench-", dir=place) as folder:
        yield Path(shutil.copy(prepared, folder))

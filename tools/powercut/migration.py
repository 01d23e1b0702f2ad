"""A start that migrates: a database of release 1.0.0, a migration that rewrites its table, and the kept copy."""

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from app.settings import ROOT
from db import revisions
from tools.powercut.clients import Name, Row

RELEASE_1_0_0 = ROOT / "tests" / "db" / "items-1.0.0.db"
_ITEMS = 1000
_ADD = "INSERT INTO items (version, name, description, created_at, updated_at) VALUES (?, ?, ?, ?, ?)"
_TIME = "2026-01-01T00:00:00.000000Z"
_REWRITE = '''"""Copy the table of items, as SQLite must to change a column."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "{revision}", "{before}"


def upgrade():
    with op.batch_alter_table("items", table_kwargs={{"sqlite_autoincrement": True}}) as items:
        items.alter_column("description", type_=sa.String(300))
'''


def old_database(file: Path) -> None:
    """Make a database of release 1.0.0, large enough that a migration of its table writes many pages."""
    shutil.copy(RELEASE_1_0_0, file)
    new = [(1, f"item {number}", "x" * (number % 200), _TIME, _TIME) for number in range(_ITEMS)]
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executemany(_ADD, new)


def with_rewrite(folder: Path) -> None:
    """Copy the migrations of the service to a new folder, and add one that rewrites the table of items."""
    shutil.copytree(revisions.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    before = revisions.newest()
    revision = f"{int(before) + 1:04}"
    text = _REWRITE.format(revision=revision, before=before)
    (folder / "versions" / f"{revision}_rewrite.py").write_text(text, "utf-8")


@dataclass(frozen=True)
class KeptCopy:
    """The copy from before a migration, which must be there from the moment on in which the migration is done."""

    name: str
    rows: Mapping[Name, Row]

    @property
    def revision(self) -> str:
        """The revision to which the database was migrated."""
        return self.name.rpartition("-")[2]


def kept_copy(left: Path, database: str, rows: Mapping[Name, Row]) -> KeptCopy | None:
    """Return the copy that a service has left in a folder, if any. It must have the rows of the database before."""
    names = [file.name for file in left.glob(f"{database}.before-*")]
    return KeptCopy(names[0], rows) if names else None

"""What a database has: its schema as the database itself describes it, and its rows."""

import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, inspect, select

from app.settings import ROOT
from db import revisions
from db.revisions import VERSION_TABLE

RELEASE_1_0_0 = ROOT / "tests" / "db" / "items-1.0.0.db"
"""A database that release 1.0.0 has written: five items with all kinds of characters; 6 and 7 were deleted."""
MIGRATION = '''"""A migration of the tests."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "{revision}", "{before}"


def upgrade():
    {upgrade}


def downgrade():
    {downgrade}
'''


def schema(connection: Connection) -> dict[str, Any]:
    """Return tables, columns, constraints and indexes, in the words of the database."""
    found = inspect(connection)
    return {
        table: {
            "columns": {
                column["name"]: (repr(column["type"]), column["nullable"], column["default"])
                for column in found.get_columns(table)
            },
            "key": found.get_pk_constraint(table),
            "foreign keys": _sorted(found.get_foreign_keys(table)),
            "unique": _sorted(found.get_unique_constraints(table)),
            "checks": {check["name"]: check["sqltext"] for check in found.get_check_constraints(table)},
            "indexes": {index["name"]: _index(index) for index in found.get_indexes(table)},
        }
        for table in found.get_table_names()
        if table != VERSION_TABLE
    }


def _index(found: Any) -> tuple[Any, ...]:
    conditions = [str(text) for name, text in found.get("dialect_options", {}).items() if name.endswith("_where")]
    return (found["column_names"], found["unique"], *conditions)


def _sorted(found: Any) -> list[str]:
    return sorted(map(repr, found))


def rows(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all tables."""
    tables = MetaData()
    tables.reflect(connection)
    return {
        name: sorted(map(tuple, connection.execute(select(table))))
        for name, table in tables.tables.items()
        if name != VERSION_TABLE
    }


class History:
    """A copy of the project's migrations, to which a test adds its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "migrations"
        shutil.copytree(revisions.MIGRATIONS, self.folder, ignore=shutil.ignore_patterns("__pycache__"))

    def add(self, upgrade: str, downgrade: str = "pass") -> str:
        """Add a migration, and return its revision. The arguments are the bodies of its two functions."""
        before = max(file.name[:4] for file in (self.folder / "versions").glob("[0-9]*.py"))
        revision = f"{int(before) + 1:04}"
        text = MIGRATION.format(
            revision=revision,
            before=before,
            upgrade=upgrade.strip().replace("\n", "\n    "),
            downgrade=downgrade.strip().replace("\n", "\n    "),
        )
        (self.folder / "versions" / f"{revision}_test.py").write_text(text, "utf-8")
        return revision

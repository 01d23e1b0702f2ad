"""`make migration NAME=add_colour`: writes the migration from the tables that there are to those of `db/schema.py`.

It compares the code with a new SQLite database that all migrations have made. Read what it writes: it cannot know that
a column was renamed, or what existing rows should have in a new one.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import URL, CheckConstraint, Connection, MetaData, TextClause
from sqlalchemy.types import TypeDecorator

from app.settings import ROOT
from db import schema
from db.comparison import OPTIONS, copied, unseen
from db.engine import Database
from tools.scaffold.code import formatted

VERSIONS = "db/migrations/versions"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FILE = '''"""{title}."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {before}


def upgrade() -> None:
    """Migrate the tables."""
    {upgrade}


def downgrade() -> None:
    """Undo it."""
    {downgrade}
'''


def main(arguments: list[str] | None = None, folder: Path = ROOT) -> int:
    """Write the migration and name its file, or say why not."""
    parser = argparse.ArgumentParser(prog="python -m tools.migration", description=__doc__)
    parser.add_argument("name", help="what it does, for the name of its file: add_colour")
    name = parser.parse_args(arguments).name
    if not _NAME.fullmatch(name):
        print(f"The name {name!r} must have small letters, digits and underscores.", file=sys.stderr)
        return 1
    file = next_file(folder, name)
    with (
        tempfile.TemporaryDirectory() as scratch,
        closing(Database(URL.create("sqlite", database=f"{scratch}/migrated.db"))) as database,
    ):
        database.create()
        with database.read() as connection:
            text = migration(file, name.replace("_", " ").capitalize(), schema.metadata, connection)
            by_hand = unseen(connection)
    if by_hand:
        print("Write these by hand, because Alembic does not compare them:", *by_hand, sep="\n  ", file=sys.stderr)
    if text is None:
        print("Nothing was written: the migrations make the tables of the code already.", file=sys.stderr)
        return 1
    (folder / file).write_text(text, "utf-8")
    print(f"Read {file}, then run: make test")
    return 0


def next_file(folder: Path, name: str) -> str:
    """Return the path in the project of a new migration, whose revision follows the newest."""
    newest = max((file.name.partition("_")[0] for file in (folder / VERSIONS).glob("[0-9]*.py")), default="0")
    return f"{VERSIONS}/{int(newest) + 1:04}_{name}.py"


def migration(
    file: str, title: str, metadata: MetaData, connection: Connection, table: str | None = None
) -> str | None:
    """Return the source of the migration from the tables of a database to those of `metadata`, or only to one of them.

    It repeats types and constraints instead of importing them: it must do the same when the code has changed. Return
    None if there is no difference.
    """
    compared = _only(table) if table else None
    context = MigrationContext.configure(connection, opts={**OPTIONS, "include_object": compared})
    script = produce_migrations(context, _with_checks_in_tables(metadata))
    if script.upgrade_ops is None or script.downgrade_ops is None or script.upgrade_ops.is_empty():
        return None
    revision = Path(file).name.partition("_")[0]
    before = f"{int(revision) - 1:04}"
    source = _FILE.format(
        title=title,
        revision=revision,
        before=repr(before) if int(before) else None,
        upgrade=_rendered(script.upgrade_ops, context, in_batches=table is None),
        downgrade=_rendered(script.downgrade_ops, context, in_batches=table is None),
    )
    return formatted(source, file)


def _only(table: str) -> Callable[..., bool]:
    def is_compared(_thing: Any, name: str | None, kind: str, *_: Any) -> bool:
        return kind != "table" or name == table

    return is_compared


def _with_checks_in_tables(metadata: MetaData) -> MetaData:
    """Return a copy in which the constraints of columns are those of their tables: Alembic ignores the others."""
    copy = copied(metadata)
    for table in copy.tables.values():
        for column in table.columns:
            for check in [each for each in column.constraints if isinstance(each, CheckConstraint)]:
                column.constraints.remove(check)
                table.append_constraint(CheckConstraint(check.sqltext, check.name))
    return copy


def _rendered(operations: Any, context: MigrationContext, *, in_batches: bool) -> str:
    code = render_python_code(
        operations, render_as_batch=in_batches, render_item=_render_item, migration_context=context
    )
    # SQLite copies a table to change it, and must not forget which ids it has assigned.
    code = code.replace(", schema=None)", ', table_kwargs={"sqlite_autoincrement": True})')
    return "\n".join(line for line in code.splitlines() if not line.lstrip().startswith("# ###")).strip()


def _render_item(kind: str, thing: Any, _context: Any) -> str | Literal[False]:
    """Write what Alembic would write in another way: constraints of one database, and types of this project."""
    if kind == "check" and isinstance(thing.sqltext, TextClause):
        dialect = thing.info.get("dialect")
        condition = f".ddl_if(dialect={dialect!r})" if dialect else ""
        return f"sa.CheckConstraint({thing.sqltext.text!r}, name={thing.name!r}){condition}"
    if kind == "type" and isinstance(thing, TypeDecorator):
        return f"sa.{thing.impl!r}"
    return False


if __name__ == "__main__":
    sys.exit(main())

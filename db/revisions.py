"""The revision of a database, read without Alembic: importing it takes 80 ms, and most starts need no migration."""

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, inspect, text

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"
FIRST_TABLE = "items"
_FIRST_COLUMNS = {"id", "version", "name", "description", "created_at", "updated_at"}


class RevisionError(Exception):
    """The tables of a database do not fit this release. The message continues the sentence "The database …"."""


class Found(NamedTuple):
    """The revision of a database; None if it has no tables. Release 1.0.0 did not record its revision, 0001."""

    revision: str | None
    recorded: bool = True

    @property
    def is_current(self) -> bool:
        """Whether this release can use the database as it is."""
        return self.recorded and self.revision == newest()


def known() -> list[str]:
    """Return all revisions of this release, the oldest first. Files of migrations begin with their revision."""
    return sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def newest() -> str:
    """Return the revision of this release's tables."""
    return known()[-1]


def find(connection: Connection) -> Found:
    """Return the revision of a database. Raise `RevisionError` if this release does not know it."""
    tables = inspect(connection)
    if tables.has_table(VERSION_TABLE):
        return _recorded(connection)
    if tables.has_table(FIRST_TABLE):
        if {column["name"] for column in tables.get_columns(FIRST_TABLE)} != _FIRST_COLUMNS:
            raise RevisionError(f"has a table {FIRST_TABLE} of another program, and no revision.")
        return Found(known()[0], recorded=False)
    # Others may have tables in the same PostgreSQL database. An SQLite file belongs to one program.
    if connection.dialect.name == "sqlite" and tables.get_table_names():
        raise RevisionError("belongs to another program: it has tables, but none of this service.")
    return Found(None)


def _recorded(connection: Connection) -> Found:
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()  # noqa: S608 -- ours
    if not found:
        return Found(None)
    if len(found) > 1 or found[0] not in known():
        raise RevisionError(
            f"is at revision {', '.join(sorted(found))}, and this release knows only up to {newest()}: "
            "a newer release has changed it. Start that release, or restore a backup from before the update."
        )
    return Found(found[0])


def require_current(found: Found) -> None:
    """Raise `RevisionError` unless this release can use the database as it is."""
    if not found.is_current:
        state = f"is at revision {found.revision}" if found.revision else "has no tables of this service"
        if not found.recorded:
            state = "has the tables of release 1.0.0, which recorded no revision"
        raise RevisionError(f"{state}, and this release needs {newest()}. Run: flask --app app db upgrade")

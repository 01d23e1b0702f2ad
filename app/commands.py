"""`flask --app app db …`: migrate, check, back up and restore the database."""

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.engine import URL

from app.start import DATABASE_FAULTS, database_fault, shown
from db import copies, revisions
from db.copies import DamagedError, Progress
from db.engine import Database
from db.restore import InUseError, restore
from db.revisions import RevisionError

_FILE = click.Path(dir_okay=False, path_type=Path)
_EXISTING = click.Path(dir_okay=False, exists=True, path_type=Path)


def database_commands(url: URL) -> AppGroup:
    """Return the group `db` for the database of the settings."""
    group = AppGroup("db", help=f"Migrate, check, back up and restore the database {shown(url)}.")

    @group.command()
    def upgrade() -> None:
        """Create the tables, or migrate them to this release."""
        _upgrade(url)

    @group.command()
    @click.argument("revision")
    def downgrade(revision: str) -> None:
        """Undo the migrations after REVISION: what only they added is lost."""
        _downgrade(url, revision)

    @group.command()
    def check() -> None:
        """Check for damage, broken references, and tables that differ from the code."""
        _check(url)

    @group.command()
    @click.argument("file", type=_FILE)
    def backup(file: Path) -> None:
        """Write the database to the new FILE, while the service goes on."""
        _backup(url, file)

    @group.command(name="restore")
    @click.argument("file", type=_EXISTING)
    def restore_backup(file: Path) -> None:
        """Replace the database with the backup in FILE, and keep the old one. Stop the service first."""
        _restore(url, file)

    return group


def _upgrade(url: URL) -> None:
    from db.migrate import migrate  # Alembic takes 80 ms to import

    with _faults(url):
        if url.get_backend_name() == "sqlite":
            with closing(Database(url)) as database:
                database.create()
        else:
            migrate(url)
    click.echo(f"The database {shown(url)} is at revision {revisions.newest()}.")


def _downgrade(url: URL, revision: str) -> None:
    from db.migrate import migrate  # Alembic takes 80 ms to import

    if revision not in revisions.known():
        raise click.ClickException(f"There is no revision {revision}, only {', '.join(revisions.known())}.")
    if url.get_backend_name() == "sqlite":
        _existing(url)
    with _faults(url):
        migrate(url, revision)
    click.echo(f"The database {shown(url)} is at revision {revision}.")


def _check(url: URL) -> None:
    steps: list[tuple[str, Callable[[], list[str]]]] = [
        ("revision", lambda: _with_connection(url, _revision)),
        ("tables", lambda: _with_connection(url, _tables)),
    ]
    if url.get_backend_name() == "sqlite":
        file = _existing(url)
        steps.insert(0, ("integrity", lambda: copies.damage(file)))
    found: list[str] = []
    with _faults(url), _bar("Checking", len(steps)) as bar:
        for name, step in steps:
            found += [f"{name}: {problem}" for problem in step()]
            bar.update(1)
            if found:  # what follows would only repeat it
                break
    if found:
        raise click.ClickException("\n  ".join([f"The database {shown(url)} has faults:", *found]))
    click.echo(f"The database {shown(url)} is in order: revision {revisions.newest()}.")


def _revision(connection: Any) -> list[str]:
    try:
        revisions.require_current(revisions.find(connection))
    except RevisionError as error:
        return [f"the database {error}"]
    return []


def _tables(connection: Any) -> list[str]:
    from db.comparison import differences  # Alembic takes 80 ms to import

    return differences(connection)


def _with_connection(url: URL, step: Callable[[Any], list[str]]) -> list[str]:
    with closing(Database(url)) as database, database.read() as connection:
        return step(connection)


def _backup(url: URL, target: Path) -> None:
    if url.get_backend_name() != "sqlite":
        command = f"pg_dump --format=custom --file={target} --dbname={shown(url)}"
        raise click.ClickException(f"This database is on PostgreSQL. Run: {command}")
    file = _existing(url)
    try:
        with _pages("Copying") as progress:
            copies.copy(file, target, progress)
    except DATABASE_FAULTS as error:
        raise click.ClickException(f"There is no backup. {_sentence(error)}") from None
    click.echo(f"{target} has the database {shown(url)} now, and was verified.")


def _restore(url: URL, backup: Path) -> None:
    if url.get_backend_name() != "sqlite":
        command = f"pg_restore --clean --if-exists --single-transaction --dbname={shown(url)} {backup}"
        raise click.ClickException(f"This database is on PostgreSQL. Run: {command}")
    file = Path(str(url.database)).absolute()
    try:
        with _pages("Copying") as progress:
            kept = restore(backup, file, progress)
    except InUseError:
        raise click.ClickException(f"{file} is in use. Stop the service first. Nothing was changed.") from None
    except RevisionError as error:
        raise click.ClickException(f"Nothing was changed. The database {backup} {error}") from None
    except DATABASE_FAULTS as error:
        raise click.ClickException(f"Nothing was changed. {_sentence(error)}") from None
    click.echo(f"{file} has the database of {backup} now.")
    if kept:
        click.echo(f"The database before is {kept}.")


def _existing(url: URL) -> Path:
    file = Path(str(url.database)).absolute()
    if not file.is_file():
        raise click.ClickException(f"The database file {file} does not exist.")
    return file


@contextmanager
def _faults(url: URL) -> Iterator[None]:
    try:
        yield
    except DATABASE_FAULTS as error:
        raise click.ClickException(database_fault(url, error)) from None


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return (
        f"The database is damaged: {error}" if isinstance(error, sqlite3.DatabaseError | DamagedError) else str(error)
    )


def _bar(label: str, length: int) -> Any:
    """A progress bar on standard error, if that is a terminal."""
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


@contextmanager
def _pages(label: str) -> Iterator[Progress]:
    """Show how many pages of a database have been copied."""
    with _bar(label, 1) as bar:

        def progress(done: int, pages: int) -> None:
            bar.length = pages
            bar.update(done - bar.pos)

        yield progress

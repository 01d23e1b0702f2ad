"""Replaces an SQLite database with a backup. The old one is kept, and a database in use is refused."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, inspect

from db import copies, revisions
from db.copies import Progress
from db.engine import Database
from db.folder import create_folder, sync
from db.revisions import RevisionError

# Every connection in WAL mode has a lock on these bytes (https://sqlite.org/fileformat.html#the_lock_byte_page).
_LOCK_START, _LOCK_LENGTH = 0x40000000, 512


class InUseError(Exception):
    """A process has the database open."""


def restore(backup: Path, file: Path, progress: Progress) -> Path | None:
    """Replace the database `file` with the one in `backup`. Return the file that has the old one now.

    Until the last step, everything stays as it is. Raise `RevisionError` if the backup is not of this service or is
    newer, `DamagedError`, `InUseError`, `sqlite3.Error` or `OSError`.
    """
    prepared = file.with_name(f".{file.name}.restored")
    prepared.unlink(missing_ok=True)
    create_folder(file.parent)
    try:
        copies.copy(backup, prepared, progress)
        _require_ours(prepared)
        with copies.locked(file):
            return _replace(file, prepared)
    finally:
        prepared.unlink(missing_ok=True)


def _require_ours(file: Path) -> None:
    with closing(Database(URL.create("sqlite", database=str(file)))) as database, database.read() as connection:
        if revisions.find(connection).revision is None or not inspect(connection).has_table(revisions.FIRST_TABLE):
            raise RevisionError("has no tables of this service.")


def _replace(file: Path, prepared: Path) -> Path | None:
    if not file.exists():
        prepared.rename(file)
        sync(file.parent)
        return None
    _merge_wal(file)
    with _unused(file):
        before = file.stat()
        prepared.chmod(before.st_mode & 0o777)
        with suppress(PermissionError):  # only root can give files to others
            os.chown(prepared, before.st_uid, before.st_gid)
        kept = copies.unused(file.with_name(f"{file.name}.before-restore"))
        for suffix in ("-wal", "-shm"):  # of a damaged database
            with suppress(FileNotFoundError):
                file.with_name(file.name + suffix).rename(kept.with_name(kept.name + suffix))
        copies.link(file, kept)
        prepared.replace(file)
        sync(file.parent)
    return kept


def _merge_wal(file: Path) -> None:
    """Leave one file, unless the database is in use or damaged."""
    with suppress(sqlite3.Error), closing(copies.connect(file)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()


@contextmanager
def _unused(file: Path) -> Iterator[None]:
    """Keep other processes from opening the database. Raise `InUseError` if one has it open."""
    descriptor = os.open(file, os.O_RDWR)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCK_LENGTH, _LOCK_START)
        yield
    except BlockingIOError:
        raise InUseError(f"{file} is in use") from None
    finally:
        os.close(descriptor)

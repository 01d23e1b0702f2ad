"""Copies of an SQLite database: complete, consistent, and verified before they get their name."""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from db.folder import sync

Progress = Callable[[int, int], None]
"""Called with the pages that are done, and with all pages."""
_PAGES = 256  # copied in one step


class DamagedError(Exception):
    """A database is damaged. The message says how."""


def copy(source: Path, target: Path, progress: Progress = lambda _done, _all: None) -> None:
    """Write the database as it is at this moment to the new file `target`; others go on reading and writing.

    The file appears only when it is complete, verified and on the disk. Raise `FileExistsError`, `DamagedError`,
    `sqlite3.Error` or `OSError`.
    """
    if target.exists():
        raise _exists(target)
    unfinished = target.with_name(f".{target.name}.unfinished")
    with unfinished.open("ab") as opened:
        _reserve(opened, target)
        try:
            _write(source, unfinished, progress)
            if faults := damage(unfinished):
                raise DamagedError("; ".join(faults))
            os.fsync(opened.fileno())
            link(unfinished, target)
        finally:
            unfinished.unlink(missing_ok=True)
    sync(target.parent)


def keep(file: Path, reason: str) -> Path:
    """Copy a database to a new file beside it, and return that file: FILE.reason, or FILE.reason.2 and so on."""
    target = unused(file.with_name(f"{file.name}.{reason}"))
    copy(file, target)
    return target


def unused(file: Path) -> Path:
    """Return the file, or the first of FILE.2, FILE.3 and so on that does not exist."""
    number = 1
    found = file
    while found.exists():
        number += 1
        found = file.with_name(f"{file.name}.{number}")
    return found


def damage(file: Path) -> list[str]:
    """Return what SQLite finds wrong with a database: its structure, its constraints and its foreign keys."""
    with closing(connect(file)) as connection:
        try:
            faults = [str(fault) for (fault,) in connection.execute("PRAGMA integrity_check(10)") if fault != "ok"]
            rows = connection.execute("PRAGMA foreign_key_check").fetchmany(10)
        except sqlite3.DatabaseError as error:
            return [str(error)]
    return faults + [f"row {row} of {table} refers to a missing row of {parent}" for table, row, parent, _ in rows]


def connect(file: Path, mode: str = "rw") -> sqlite3.Connection:
    """Open an existing database."""
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=60)


def link(file: Path, name: Path) -> None:
    """Give a file another name, which no file has. On a file system without hard links, it loses its first name."""
    try:
        name.hardlink_to(file)
    except FileExistsError:
        raise _exists(name) from None
    except OSError:
        if name.exists():
            raise _exists(name) from None
        file.rename(name)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Wait until no other process starts with this database, migrates it or replaces it.

    The lock is that of the folder, so it leaves no file, and ends with the process.
    """
    descriptor = os.open(file.absolute().parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _reserve(unfinished: IO[bytes], target: Path) -> None:
    """Start with an empty file: a copy that was killed may have left a part."""
    try:
        fcntl.flock(unfinished, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FileExistsError(errno.EEXIST, "Another process is writing", str(target)) from None
    unfinished.truncate(0)


def _write(source: Path, target: Path, progress: Progress) -> None:
    mode = "rw" if os.access(source, os.W_OK) else "ro"  # a backup may be on a disk that cannot be written
    with closing(connect(source, mode)) as reading, closing(connect(target)) as writing:
        writing.execute("PRAGMA journal_mode = OFF")  # a copy that is not complete is not used
        writing.execute("PRAGMA synchronous = OFF")
        # One snapshot for all steps. Without it, a write in between would make the copy begin again.
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        reading.backup(writing, pages=_PAGES, progress=lambda _status, left, pages: progress(pages - left, pages))
        writing.execute("PRAGMA journal_mode = DELETE")  # one file, which can be opened where nothing can be written


def _exists(target: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, "This file exists already", str(target))

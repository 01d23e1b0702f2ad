"""The WAL of an SQLite database, which grows as long as another program reads in one long transaction.

SQLite cannot merge what such a reader does not see yet. So the WAL has a limit, above which nothing is written. When
the reader has ended, the next commit merges the WAL, and the one after it begins at the start of the file and cuts off
what is above `USUAL_BYTES` (https://sqlite.org/wal.html#avoiding_excessively_large_wal_files).
"""

import logging
import sqlite3
import time

from sqlalchemy.exc import TimeoutError as WaitTimeout

from db.sqlite import DatabaseFile

logger = logging.getLogger(__name__)
USUAL_BYTES = 16 * 1024 * 1024
"""Four times what the WAL has when SQLite merges it, after 1000 pages. More means that a reader was in the way."""
LIMIT = f"PRAGMA journal_size_limit = {USUAL_BYTES}"
"""For each connection that writes."""
_WAIT_MS = 200  # for reads that take as long as usual
_SECONDS_BETWEEN_ATTEMPTS = 1


class Wal:
    """The WAL of a file. `limit` is in bytes, 0 for none."""

    def __init__(self, file: DatabaseFile, limit: int) -> None:
        self._file = file
        self._limit = limit
        self._usual = min(USUAL_BYTES, limit or USUAL_BYTES)
        self._next_attempt = 0.0
        self._is_over = False

    def has_grown(self) -> bool:
        """Return whether the next commit may take long, because it merges much, or may not be made."""
        return self._file.wal_bytes() > self._usual

    def is_over_limit(self) -> bool:
        """Return whether nothing may be written before `shrink()`."""
        return 0 < self._limit < self._file.wal_bytes()

    def shrink(self, connection: sqlite3.Connection) -> None:
        """Merge the WAL and empty it; this may take seconds. Raise `TimeoutError` of SQLAlchemy if a reader forbids it.

        An attempt keeps other writers out, so there is one in a second.
        """
        if time.monotonic() >= self._next_attempt:
            connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA busy_timeout = 0")
            self._next_attempt = time.monotonic() + _SECONDS_BETWEEN_ATTEMPTS
        is_over = self.is_over_limit()
        if is_over and not self._is_over:
            logger.error("The WAL has reached its limit: another program reads in one long transaction. Writes get 503")
        elif self._is_over and not is_over:
            logger.warning("The WAL is merged: the database is written again")
        self._is_over = is_over
        if is_over:
            raise WaitTimeout(f"a reader keeps a WAL of {self._limit:,} bytes from being merged")

"""Removes rows that are too old, a little at a time, as long as the service runs."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from sqlalchemy import Connection

from db.engine import Database
from db.errors import DatabaseError

logger = logging.getLogger(__name__)
_SECONDS_BETWEEN_REMOVALS = 60
_REMOVED_AT_ONCE = 500  # rows; other writes wait for less than 10 ms
_PAUSE = 0.1


class Keeper(Protocol):
    """Keeps rows for a time; `kept` names them in the log."""

    kept: str

    def remove_old(self, connection: Connection, limit: int) -> int:
        """Remove at most `limit` rows that are too old; return how many."""


async def remove_old_rows(database: Database, keepers: Sequence[Keeper]) -> None:
    """Let all keepers remove what is too old, once a minute, with pauses in which others can write."""
    while True:
        await asyncio.sleep(_SECONDS_BETWEEN_REMOVALS)
        for keeper in keepers:
            try:
                while await database.run(_removal(database, keeper)) == _REMOVED_AT_ONCE:  # noqa: ASYNC110 -- others go first
                    await asyncio.sleep(_PAUSE)
            except DatabaseError as error:
                logger.warning("Old %s could not be removed: %r", keeper.kept, error)


def _removal(database: Database, keeper: Keeper) -> Callable[[], int]:
    def remove() -> int:
        with database.write() as connection:
            return keeper.remove_old(connection, _REMOVED_AT_ONCE)

    return remove

"""Operations with the tag `health`."""

import logging

from contract.problems import Problem
from db import resources
from db.errors import READ_ONLY, UNREACHABLE, DatabaseError
from handlers.database import database

Health = dict[str, str]
logger = logging.getLogger(__name__)


async def get_liveness() -> Health:
    """The process can respond. A coroutine needs no thread: those may all be waiting for the database."""
    return {"status": "ok"}


def get_readiness() -> Health:
    """The database can respond, too. Any error that it raises, a missing table included, means that it cannot."""
    try:
        with database().read() as connection:
            resources.ping(connection)
        is_full = database().is_full()
    except DatabaseError as error:
        logger.warning("Not ready: %r", error)
        raise Problem(503, UNREACHABLE.detail, headers={"Retry-After": str(UNREACHABLE.retry_after)}) from error
    if is_full:
        logger.warning("Not ready: the disk is full")
        raise Problem(503, "The disk is full.", headers={"Retry-After": str(READ_ONLY.retry_after)})
    return {"status": "ok"}

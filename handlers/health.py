"""Operations with the tag `health`."""

import logging

from contract.problems import Problem
from db import items
from db.errors import UNREACHABLE, DatabaseError
from handlers.database import database

Health = dict[str, str]
logger = logging.getLogger(__name__)


def get_liveness() -> Health:
    """The process can answer."""
    return {"status": "ok"}


def get_readiness() -> Health:
    """The database can answer, too. Whatever it raises, a missing table as well, means that it cannot."""
    try:
        with database().read() as connection:
            items.ping(connection)
    except DatabaseError as error:
        logger.warning("Not ready: %r", error)
        raise Problem(503, UNREACHABLE.detail, headers={"Retry-After": str(UNREACHABLE.retry_after)}) from error
    return {"status": "ok"}

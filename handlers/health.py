"""Operations with the tag `health`."""

from db import items
from handlers.database import database

Health = dict[str, str]


def get_liveness() -> Health:
    """The process can answer."""
    return {"status": "ok"}


def get_readiness() -> Health:
    """The database can answer, too; what it raises is answered 503 by the published table."""
    with database().read() as connection:
        items.ping(connection)
    return {"status": "ok"}

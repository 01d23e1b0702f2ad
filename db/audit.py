"""The audit log: who did what to which resource. An entry is written in the transaction of the write.

Every function takes the connection that it runs on.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select

from db.pages import Pages
from db.resources import timestamp
from db.schema import audit_log

ENTRIES = Pages(audit_log, sort=("id",), filters=("principal", "resource"))
_LENGTHS = {"resource": 2000, "client": 100}
"""Where a client chooses the text: a longer one is cut, because PostgreSQL and the contract allow no more."""

_add = insert(audit_log)
_old = select(audit_log.c.id).where(audit_log.c.created_at < bindparam("before")).limit(bindparam("limit"))
_remove_old = delete(audit_log).where(audit_log.c.id.in_(_old))


class Entry(NamedTuple):
    """What one request did. `resource` is the path of what it did it to; `client` is an IP address, if it has one."""

    principal: str
    operation: str
    method: str
    resource: str
    status: int
    client: str
    request_id: str


def add(connection: Connection, entry: Entry) -> None:
    """Add an entry, with the present time."""
    row = entry._asdict() | {"created_at": timestamp(datetime.now(UTC))}
    connection.execute(_add, row | {name: row[name][:length] for name, length in _LENGTHS.items()})


def remove_old(connection: Connection, max_age: timedelta, limit: int) -> int:
    """Remove at most `limit` entries that are older than `max_age`; return how many."""
    before = timestamp(datetime.now(UTC) - max_age)
    return connection.execute(_remove_old, {"before": before, "limit": limit}).rowcount

"""Kept responses: the first response to each idempotency key, stored in the transaction that it reports.

Every function takes the connection that it runs on.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select

from db.resources import timestamp
from db.schema import idempotency_responses as responses

MOST_KEPT = 1_000_000
"""How many responses are kept at most, whatever their age."""

Headers = Sequence[tuple[str, str]]


class Scope(NamedTuple):
    """What a key belongs to: the same key of another caller, or for another operation, is another key."""

    caller: str
    operation: str
    key: str


class Kept(NamedTuple):
    """A response that was sent before, and a hash of the request that it belongs to."""

    fingerprint: bytes
    status: int
    headers: Headers
    body: bytes


_is_of_scope = [responses.c[name] == bindparam(f"of_{name}") for name in Scope._fields]
_find = select(responses).where(*_is_of_scope)
_remove = delete(responses).where(*_is_of_scope)
_add = insert(responses)
_try_lock = select(func.pg_try_advisory_xact_lock(bindparam("number")))
_old = (
    select(responses.c.id)
    .where(
        or_(
            responses.c.created_at < bindparam("before"),
            responses.c.id <= select(func.max(responses.c.id)).scalar_subquery() - bindparam("most"),
        )
    )
    .limit(bindparam("limit"))
)
_highest, _lowest = (select(f(responses.c.id)).scalar_subquery() for f in (func.max, func.min))
_at_most = select(func.coalesce(_highest - _lowest + 1, 0))
_remove_old = delete(responses).where(responses.c.id.in_(_old))


def lock(connection: Connection, scope: Scope) -> bool:
    """Take the scope until the transaction ends; False if a request with the same key runs in another one.

    SQLite has one transaction at a time that writes.
    """
    if connection.dialect.name != "postgresql":
        return True
    digest = blake2b("\0".join(scope).encode(), digest_size=8).digest()
    return bool(connection.execute(_try_lock, {"number": int.from_bytes(digest, signed=True)}).scalar_one())


def find(connection: Connection, scope: Scope, max_age: timedelta) -> Kept | None:
    """Return the response that is kept for the scope. One that is older than `max_age` is removed."""
    row = connection.execute(_find, _parameters(scope)).one_or_none()
    if row is None:
        return None
    if row.created_at < _time(max_age):
        connection.execute(_remove, _parameters(scope))
        return None
    return Kept(row.fingerprint, row.status, [(name, value) for name, value in json.loads(row.headers)], row.body)


def add(connection: Connection, scope: Scope, kept: Kept) -> None:
    """Keep a response."""
    row = {
        **scope._asdict(),
        **kept._asdict(),
        "headers": json.dumps(kept.headers).encode(),
        "created_at": _time(),
    }
    connection.execute(_add, row)


def at_most(connection: Connection) -> int:
    """Return how many responses may be kept: from the lowest id to the highest one. To count them takes too long."""
    return int(connection.execute(_at_most).scalar_one())


def remove_old(connection: Connection, max_age: timedelta, limit: int, most: int = MOST_KEPT) -> int:
    """Remove at most `limit` responses that are older than `max_age` or beyond the newest `most`; return how many."""
    return connection.execute(_remove_old, {"before": _time(max_age), "most": most, "limit": limit}).rowcount


def _parameters(scope: Scope) -> dict[str, str]:
    return {f"of_{name}": value for name, value in scope._asdict().items()}


def _time(age: timedelta = timedelta()) -> str:
    return timestamp(datetime.now(UTC) - age)

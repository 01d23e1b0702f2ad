"""API keys: who has one, what it allows, and until when. The keys themselves are not stored, only keyed hashes.

Every function takes the connection that it runs on. Times are text in UTC, as everywhere in the database.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from db.schema import api_keys as table


class ApiKey(NamedTuple):
    """A key. `name` is who has it: several keys can have the same one, while they are being replaced."""

    id: int
    name: str
    scopes: str
    digest: bytes
    hint: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None


_columns = [table.c[name] for name in ApiKey._fields]
_find = select(*_columns).where(table.c.digest == bindparam("of_digest"))
_all = select(*_columns).order_by(table.c.name, table.c.id)
_valid = [table.c.revoked_at.is_(None), or_(table.c.expires_at.is_(None), table.c.expires_at > bindparam("now"))]
_current = select(*_columns).where(table.c.name == bindparam("of_name"), *_valid).order_by(table.c.id)
_add = insert(table)
_revoke = update(table).where(table.c.id == bindparam("of_id")).values(revoked_at=bindparam("now"))
_expire = update(table).where(table.c.id == bindparam("of_id")).values(expires_at=bindparam("at"))
_use = (
    update(table)
    .where(
        table.c.id == bindparam("of_id"),
        or_(table.c.last_used_at.is_(None), table.c.last_used_at < bindparam("at")),
    )
    .values(last_used_at=bindparam("at"))
)


def find(connection: Connection, digest: bytes) -> ApiKey | None:
    """Return the key with this hash, whether or not it is still valid."""
    row = connection.execute(_find, {"of_digest": digest}).one_or_none()
    return None if row is None else ApiKey(*row)


def all_keys(connection: Connection) -> list[ApiKey]:
    """Return every key that there ever was, sorted by name."""
    return [ApiKey(*row) for row in connection.execute(_all)]


def current(connection: Connection, name: str, now: str) -> list[ApiKey]:
    """Return the valid keys of a name, the oldest first."""
    return [ApiKey(*row) for row in connection.execute(_current, {"of_name": name, "now": now})]


def add(connection: Connection, values: Mapping[str, str | bytes | None]) -> None:
    """Add a key; `values` has every column but the id and what happens to the key later."""
    connection.execute(_add, [dict(values)])


def revoke(connection: Connection, key_id: int, now: str) -> None:
    """Make a key invalid."""
    connection.execute(_revoke, {"of_id": key_id, "now": now})


def expire(connection: Connection, key_id: int, at: str) -> None:
    """Let a key be valid until this time."""
    connection.execute(_expire, {"of_id": key_id, "at": at})


def note_use(connection: Connection, used: Iterable[int], at: str) -> None:
    """Store when keys were used last; an earlier time than the stored one changes nothing."""
    for key_id in sorted(used):  # all in one order, because PostgreSQL locks each row
        connection.execute(_use, {"of_id": key_id, "at": at})

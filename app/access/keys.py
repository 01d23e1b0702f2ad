"""API keys: how they are made, and how a request's key is verified."""

import asyncio
import hmac
import logging
import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from app.access.attempts import Attempts
from contract import Principal, RejectedError, Request
from db import api_keys
from db.api_keys import ApiKey
from db.engine import Database
from db.errors import DatabaseError
from db.resources import timestamp

logger = logging.getLogger(__name__)
PREFIX = "items_key_"
"""What every key begins with, so that scanners for secrets, and people, see what it is."""
_KEY = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}", re.ASCII)
_SHOWN = len(PREFIX) + 4
_SECONDS_VALID = 0.5
"""For how long a worker does not ask the database again: a revoked key is refused within a second."""
_MOST_REMEMBERED = 10_000
_SECONDS_BETWEEN_NOTES = 60
VALID = "valid"
_INVALID = "The API key is not valid."


def new_key() -> str:
    """Return a new key with 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: bytes, key: str) -> bytes:
    """Return the keyed hash of a key (RFC 7693 §2.9). It needs no slow function: a key cannot be guessed."""
    return blake2b(key.encode("latin-1", "replace"), key=secret, digest_size=32).digest()


def hint(key: str) -> str:
    """Return the beginning of a key, by which its owner recognizes it."""
    return key[:_SHOWN]


class _Known:
    """A key that was verified, and until when (by the monotonic clock) the database need not be asked again."""

    __slots__ = ("id", "principal", "until")

    def __init__(self, key_id: int, principal: Principal, until: float) -> None:
        self.id = key_id
        self.principal = principal
        self.until = until


class ApiKeys:
    """The verifier of the scheme. A key that it knows costs a hash and two look-ups in dictionaries.

    It remembers hashes, not keys: to look up a hash takes no time that a client could learn a key from.
    """

    def __init__(self, database: Database, secret: Callable[[], bytes], attempts: Attempts) -> None:
        self._database = database
        self._read_secret = secret
        self._secret = b""
        self._attempts = attempts
        self._known: dict[bytes, _Known] = {}
        self._used: set[int] = set()

    async def verify(self, credential: str, request: Request) -> Principal:
        """Return the principal of a key. Raise `RejectedError`, or `Problem` 429 after too many failures."""
        if not self._secret:
            self._secret = self._read_secret()
        hashed = digest(self._secret, credential)
        known = self._known.get(hashed)
        if known is None or known.until <= time.monotonic():
            known = await self._look_up(credential, hashed, request)
        self._used.add(known.id)
        return known.principal

    async def _look_up(self, credential: str, hashed: bytes, request: Request) -> _Known:
        """Ask the database. A key that was valid a moment ago is looked up whatever others have tried to guess."""
        if hashed not in self._known:
            self._attempts.require_few(request.scope)
        row = await self._find(hashed) if _KEY.fullmatch(credential) else None
        self._known.pop(hashed, None)  # not before: others with this key may ask meanwhile, or the database may fail
        now, reason = datetime.now(UTC), "unknown"
        if row is not None and hmac.compare_digest(row.digest, hashed):
            reason = state(row, now)
        if row is None or reason != VALID:
            self._attempts.note_failure(request.scope)
            raise RejectedError(_INVALID, reason)
        if len(self._known) >= _MOST_REMEMBERED:
            del self._known[next(iter(self._known))]  # the one that was asked for least recently
        until = time.monotonic() + _seconds(row, now)
        known = self._known[hashed] = _Known(row.id, Principal(f"key:{row.name}", frozenset(row.scopes.split())), until)
        return known

    async def _find(self, hashed: bytes) -> ApiKey | None:
        def find() -> ApiKey | None:
            with self._database.read() as connection:
                return api_keys.find(connection, hashed)

        run: Any = self._database.run_read
        found: ApiKey | None = await run(find) if run else find()
        return found

    async def note_uses(self) -> None:
        """Store when keys were used last, once a minute, as long as the service runs."""
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_NOTES)
            await self.store_uses()

    async def store_uses(self) -> None:
        """Store that the keys of this process's requests were used, some time in the last minute."""
        used, self._used = self._used, set()
        if not used:
            return
        now = timestamp(datetime.now(UTC))

        def store() -> None:
            with self._database.write() as connection:
                api_keys.note_use(connection, used, now)

        try:
            await self._database.run(store)
        except DatabaseError as error:
            self._used |= used
            logger.warning("When keys were used last could not be stored: %r", error)


def _seconds(key: ApiKey, now: datetime) -> float:
    """Return for how long the database need not be asked again: no longer than the key is valid."""
    if key.expires_at is None:
        return _SECONDS_VALID
    return min(_SECONDS_VALID, (datetime.fromisoformat(key.expires_at) - now).total_seconds())


def state(key: ApiKey, now: datetime) -> str:
    """Return `valid`, `expired` or `revoked`."""
    if key.revoked_at is not None:
        return "revoked"
    return VALID if key.expires_at is None or timestamp(now) < key.expires_at else "expired"

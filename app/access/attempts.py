"""Failed attempts: a client whose credentials were refused too often has to wait, before the next one is looked at.

Each IP address has so many failures in a window of time, at all workers together, and at all instances that share
RATE_LIMIT_FILE. A credential that a worker knows already is not concerned, so clients that share an IP address with an
attacker go on.
"""

import math
from functools import lru_cache
from hashlib import blake2b

from starlette.types import Scope

from app.rate_limits import network
from app.shared_counts import SharedCounts, now
from contract.problems import Problem

FAILURES = 20
"""How many credentials may be refused in a window."""
SECONDS = 60
"""The length of a window."""
_MAX_KNOWN = 10_000
_TOO_MANY = "Too many credentials from your IP address were not valid. Wait a moment and try again."


class Attempts:
    """Counts failures. A client without any costs nothing but a look at the table."""

    def __init__(self, counts: SharedCounts) -> None:
        self._counts = counts

    def require_few(self, scope: Scope) -> None:
        """Raise `Problem` 429 if this client has failed too often."""
        found = self._counts.look(_key(scope), FAILURES, SECONDS * 1000)
        if found is not None and not found.left:
            raise _too_many(found.end)

    def note_failure(self, scope: Scope) -> None:
        """Count a failure of this client. Raise `Problem` 429 if others have used up what it had meanwhile."""
        granted, _, end = self._counts.take(_key(scope), 1, FAILURES, SECONDS * 1000)
        if not granted:
            raise _too_many(end)


def _too_many(end: int) -> Problem:
    return Problem(429, _TOO_MANY, headers={"Retry-After": str(max(1, math.ceil((end - now()) / 1000)))})


def _key(scope: Scope) -> int:
    client = scope.get("client")
    return _key_of_ip(str(client[0]) if client else "")


@lru_cache(maxsize=_MAX_KNOWN)
def _key_of_ip(ip: str) -> int:
    """Return 64 bits that stand for a client, other ones than in its rate limits; 0 is for empty rows."""
    return int.from_bytes(blake2b(network(ip).encode(), digest_size=8, person=b"failures").digest()) or 1

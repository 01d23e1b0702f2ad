"""Failed attempts: a client whose credentials were refused too often has to wait, before the next one is looked at.

Each IP address has so many failures, which come back with time (a token bucket). A credential that a worker knows
already is not concerned, so clients that share an IP address with an attacker go on.
"""

import math
import time
from ipaddress import IPv6Network, ip_address

from starlette.types import Scope

from contract.problems import Problem

FAILURES = 20
"""How many credentials may be refused in a row."""
SECONDS_FOR_ONE = 3.0
"""After how many seconds another one is allowed."""
_MOST_CLIENTS = 10_000
_TOO_MANY = "Too many credentials from your IP address were not valid. Wait a moment and try again."


class Attempts:
    """Counts failures in one worker. What it remembers is bounded: the client whose last failure is the oldest is
    forgotten first.
    """

    def __init__(self) -> None:
        self._full_again: dict[str, float] = {}
        """By client, when all its failures will have come back (monotonic clock)."""

    def require_few(self, scope: Scope) -> None:
        """Raise `Problem` 429 if this client has failed too often."""
        full_again = self._full_again.get(_client(scope))
        if full_again is None:
            return
        wait = full_again - time.monotonic() - (FAILURES - 1) * SECONDS_FOR_ONE
        if wait > 0:
            raise Problem(429, _TOO_MANY, headers={"Retry-After": str(math.ceil(wait))})

    def note_failure(self, scope: Scope) -> None:
        """Count a failure of this client."""
        client, now = _client(scope), time.monotonic()
        full_again = max(self._full_again.pop(client, 0.0), now) + SECONDS_FOR_ONE
        if len(self._full_again) >= _MOST_CLIENTS:
            del self._full_again[next(iter(self._full_again))]
        self._full_again[client] = full_again


def _client(scope: Scope) -> str:
    """Return what is counted: the IP address; of IPv6 the network, because one client has many of them."""
    client = scope.get("client")
    ip = str(client[0]) if client else ""
    if ":" not in ip or ip.startswith("::ffff:"):
        return ip
    return _network(ip)


def _network(ip: str) -> str:
    try:
        return str(IPv6Network((int(ip_address(ip.partition("%")[0])), 64), strict=False))
    except ValueError:
        return ip

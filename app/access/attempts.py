"""Failed attempts: a client whose credentials were refused too often has to wait, before the next one is looked at.

Each IP address has so many failures, which come back with time (a token bucket). A credential that a worker knows
already is not concerned, so clients that share an address with an attacker go on.
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
_MOST_ADDRESSES = 10_000
_TOO_MANY = "Too many credentials from your IP address were not valid. Wait a moment and try again."


class Attempts:
    """Counts failures in one worker. What it remembers is bounded: the address whose last failure is the oldest is
    forgotten first.
    """

    def __init__(self) -> None:
        self._full_again: dict[str, float] = {}
        """By address, when all its failures will have come back (monotonic clock)."""

    def require_few(self, scope: Scope) -> None:
        """Raise `Problem` 429 if this client has failed too often."""
        full_again = self._full_again.get(_address(scope))
        if full_again is None:
            return
        wait = full_again - time.monotonic() - (FAILURES - 1) * SECONDS_FOR_ONE
        if wait > 0:
            raise Problem(429, _TOO_MANY, headers={"Retry-After": str(math.ceil(wait))})

    def note_failure(self, scope: Scope) -> None:
        """Count a failure of this client."""
        address, now = _address(scope), time.monotonic()
        full_again = max(self._full_again.pop(address, 0.0), now) + SECONDS_FOR_ONE
        if len(self._full_again) >= _MOST_ADDRESSES:
            del self._full_again[next(iter(self._full_again))]
        self._full_again[address] = full_again


def _address(scope: Scope) -> str:
    """Return what is counted: an IPv4 address, or the network of an IPv6 address, of which one client has many."""
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

"""`x-rate-limit`: counts the requests of each client, by its key or token if it has one, else by its IP address.

Counts are shared by all workers (`app.shared_counts`). Of a large limit, a worker takes a ten-thousandth at a time,
which spares it most of the locking: a client can be refused a little early, and never gets more than the limit.
"""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from app import metrics
from app.shared_counts import SharedCounts, now
from contract import Count, RateLimit, Request, principal

_PARTS = 10_000
"""Into how many parts a limit is divided for the workers."""
_MAX_KNOWN = 10_000
"""The clients for which a worker knows what it has taken."""


@dataclass(slots=True)
class _Part:
    """What a worker has taken and not used, what was left after that, and when the window ends."""

    unused: int
    left: int
    end: int


class RateLimits:
    """Counts for all processes that are forked after it is made, and for those with the same `file`."""

    def __init__(self, file: Path | None = None) -> None:
        self._shared = SharedCounts(file)
        self._own: dict[int, _Part] = {}

    def count(self, limit: RateLimit, request: Request) -> Count | None:
        """Count a request; None if the client has no IP address, as on a Unix socket."""
        sender = principal()
        if sender is not None:
            key = _key(limit.name, f"principal {sender.id}")
        else:
            client = request.scope.get("client")
            if client is None or client[1] is None:
                return None
            key = _key_of_ip(limit.name, client[0])
        own, present = self._own.get(key), now()
        if own is not None and own.end > present:
            if own.unused:
                own.unused -= 1
                return own.unused + own.left, own.end - present
            if not own.left:
                return _refused(limit, own.end - present)
        return self._take(key, limit, present)

    def _take(self, key: int, limit: RateLimit, present: int) -> Count:
        """Take a part of what is left, and use one of it."""
        part = max(1, limit.requests // _PARTS)
        granted, left, end = self._shared.take(key, part, limit.requests, limit.seconds * 1000)
        if len(self._own) >= _MAX_KNOWN:
            self._own.clear()
        self._own[key] = _Part(max(0, granted - 1), left, end)
        milliseconds = min(end - present, limit.seconds * 1000)  # the window may begin a moment later
        return (granted - 1 + left, milliseconds) if granted else _refused(limit, milliseconds)


def _refused(limit: RateLimit, milliseconds: int) -> Count:
    metrics.count("rate_limit_refusals_total", limit.name)
    return -1, milliseconds


def network(ip: str) -> str:
    """Return what counts as one client: an IPv4 address, or the first 64 bits of an IPv6 one (RFC 6177 §2)."""
    try:
        found = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return ip
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.IPv6Address(int(found) >> 64 << 64))


@lru_cache(maxsize=_MAX_KNOWN)
def _key_of_ip(name: str, ip: str) -> int:
    return _key(name, network(ip))


@lru_cache(maxsize=_MAX_KNOWN)
def _key(name: str, client: str) -> int:
    """Return 64 bits that stand for a client in a limit, the same in every process; 0 is for empty rows."""
    return int.from_bytes(blake2b(f"{name} {client}".encode(), digest_size=8).digest()) or 1

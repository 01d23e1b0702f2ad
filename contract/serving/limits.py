"""Rate limits: a request is counted when its client is known, before its body is read.

Responses have `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), and a 429 has `Retry-After`
(RFC 6585 §4).
"""

from collections.abc import Callable
from typing import Protocol

from contract.problems import Problem
from contract.serving.request import Request
from contract.spec.limits import RateLimit

Admit = Callable[[Request], None]
"""Counts a request, and notes the headers of its response. Raises `Problem` (429)."""


Count = tuple[int, int]
"""The requests that a client has left, -1 if this one was too many, and the milliseconds until it has all again."""


class Limiter(Protocol):
    """Counts the requests of clients; the application decides who is the same client."""

    def count(self, limit: RateLimit, request: Request) -> Count | None:
        """Count a request; None for a client that no limit applies to."""


def admission(limit: RateLimit, limiter: Limiter) -> Admit:
    """Return what counts the requests of an operation."""
    policy = (b"ratelimit-policy", f'"{limit.name}";q={limit.requests};w={limit.seconds}'.encode())
    template = f'"{limit.name}";r=%d;t=%d'.encode()
    count = limiter.count
    detail = f"More than {limit.requests} requests in {limit.seconds} s. Wait for the time in Retry-After."

    def admit(request: Request) -> None:
        counted = count(limit, request)
        if counted is None:
            return
        left, milliseconds = counted
        seconds = -(-milliseconds // 1000)
        request.response_headers += ((b"ratelimit", template % (max(left, 0), seconds)), policy)
        if left < 0:
            raise Problem(429, detail, headers={"Retry-After": str(max(seconds, 1))})

    return admit

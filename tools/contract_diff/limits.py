"""Limits of what clients send: a lower one breaks those that kept the old one, because they get a 413 or a 429."""

from collections.abc import Iterator
from typing import NamedTuple

from tools.contract_diff.changes import Change
from tools.contract_diff.documents import Node, same_value

_BODY, _RATE = "x-body-limit", "x-rate-limit"


class _RateLimit(NamedTuple):
    """At most this many requests of a client in a window of this many seconds."""

    requests: float
    seconds: int

    def __str__(self) -> str:
        return "none" if self == _NONE else f"{self.requests} requests in {self.seconds} s"

    def has_room_for(self, other: "_RateLimit") -> bool:
        """Return whether a client that uses up every window of `other` at its beginning is never refused by this one.

        The windows of `other` that begin within one of this one: a shorter window with as many requests has room.
        """
        return self.requests >= other.requests * -(-self.seconds // other.seconds)


_NONE = _RateLimit(float("inf"), 1)


def contract_limit_changes(was: Node, now: Node) -> Iterator[Change]:
    """Compare the limits of all operations together."""
    before, after = was[_BODY], now[_BODY]
    limits = [node.value if type(node.value) in (int, float) else float("inf") for node in (before, after)]
    if not same_value(*limits):
        text = f"{_BODY} was {limits[0]}, is {limits[1]}"
        yield Change(limits[1] < limits[0], "the contract", text, (after if after.exists else before).position)
    yield from _rate_limit_changes("the contract", was, now)


def operation_limit_changes(where: str, was: Node, now: Node) -> Iterator[Change]:
    """Compare the limits of an operation. Without one of its own, it has that of the contract, which was compared."""
    if any(node[_RATE].exists for node in (was, now)):
        owners = [node if node[_RATE].exists else node.contract.root for node in (was, now)]
        yield from _rate_limit_changes(where, *owners)


def _rate_limit_changes(where: str, was: Node, now: Node) -> Iterator[Change]:
    before, after = _rate_limit(was[_RATE]), _rate_limit(now[_RATE])
    if before != after:
        position = (now if now[_RATE].exists else was)[_RATE].position
        text = f"{_RATE} was {before}, is {after}"
        yield Change(not after.has_room_for(before), where, text, position)


def _rate_limit(node: Node) -> _RateLimit:
    """Return the limit; one that is false, missing or invalid limits nothing."""
    requests, seconds = node["requests"].value, node["seconds"].value
    if type(requests) is int and type(seconds) is int and requests > 0 and seconds > 0:
        return _RateLimit(requests, seconds)
    return _NONE

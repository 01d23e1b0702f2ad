"""`x-rate-limit`: how many requests a client may send in how many seconds, for all operations or for one.

As with `security`, an operation's own limit replaces the contract's. `false` means that there is none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contract.diagnostics import Fault, Steps, suggestion
from contract.spec.document import Document

FIELD = "x-rate-limit"
_HIGHEST = {"requests": 10_000_000, "seconds": 86_400}
_EXAMPLE = f"such as `{FIELD}: {{requests: 6000, seconds: 60}}`"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most this many requests of one client in this many seconds. Operations with the same name share a count."""

    name: str
    requests: int
    seconds: int


def rate_limit(document: Document, definition: Mapping[str, Any]) -> RateLimit | None:
    """Return the limit of an operation, or None. `faults()` has checked it."""
    if FIELD in definition:
        name = str(definition.get("operationId", "")).encode("ascii", "replace").decode()
        return _limit(name, definition[FIELD])
    return _limit("default", document.get(FIELD, False))


def faults(owner: Mapping[str, Any], at: Steps) -> Iterator[Fault]:
    """Yield what is wrong with the limit of a contract or an operation."""
    if FIELD not in owner:
        return
    value, place = owner[FIELD], (*at, FIELD)
    if value is False:
        return
    if not isinstance(value, Mapping):
        yield Fault(f"`{FIELD}` must be an object or false", _EXAMPLE, place)
        return
    for key in value.keys() - _HIGHEST.keys():
        help_ = suggestion(key, _HIGHEST) or _EXAMPLE
        yield Fault(f"a rate limit has no field `{key}`", help_, (*place, key), key=True)
    for key, highest in _HIGHEST.items():
        if key not in value:
            yield Fault(f"the rate limit has no `{key}`", _EXAMPLE, place, key=True)
        elif type(value[key]) is not int or not 1 <= value[key] <= highest:
            yield Fault(f"`{key}` must be a whole number from 1 to {highest:,}", at=(*place, key))


def _limit(name: str, value: Any) -> RateLimit | None:
    return RateLimit(name, value["requests"], value["seconds"]) if value else None

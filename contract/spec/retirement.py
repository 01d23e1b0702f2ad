"""`x-deprecated-since` and `x-sunset`: since when an operation is deprecated, and when it may be removed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contract.diagnostics import Fault, Steps

SINCE, SUNSET = "x-deprecated-since", "x-sunset"
LINKS = {"x-deprecation-url": "deprecation", "x-sunset-url": "sunset"}
"""The fields with URLs of pages about it, and the relations of the links to them (RFC 9745 §3, RFC 8594 §3)."""
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d([Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d))?", re.ASCII)
_EXAMPLE = 'such as "2027-06-30" or "2027-06-30T12:00:00Z"'


@dataclass(frozen=True, slots=True)
class Retirement:
    """When an operation became deprecated, when it may be removed (None: undecided), and URLs by link relation."""

    since: datetime
    sunset: datetime | None
    links: Mapping[str, str]


def retirement(definition: Mapping[str, Any]) -> Retirement | None:
    """Return the retirement of an operation; None if it has no dates. `faults()` has checked them."""
    since = moment(definition.get(SINCE))
    if since is None:
        return None
    links = {relation: definition[field] for field, relation in LINKS.items() if field in definition}
    return Retirement(since, moment(definition.get(SUNSET)), links)


def faults(operation: Mapping[str, Any], at: Steps) -> Iterator[Fault]:
    """Yield what is wrong with the dates and the URLs of an operation."""
    given = [field for field in (SINCE, SUNSET, *LINKS) if field in operation]
    if given and operation.get("deprecated") is not True:
        yield Fault(f"`{given[0]}` is there, and the operation is not deprecated", "add `deprecated: true`",
                    (*at, given[0]), key=True)  # fmt: skip
    elif given and SINCE not in operation:
        help_ = f"add `{SINCE}`, {_EXAMPLE}"
        yield Fault(f"`{given[0]}` is there without `{SINCE}`", help_, (*at, given[0]), key=True)
    if "x-sunset-url" in operation and SUNSET not in operation:
        yield Fault(f"`x-sunset-url` is there without `{SUNSET}`", f"add `{SUNSET}`, {_EXAMPLE}",
                    (*at, "x-sunset-url"), key=True)  # fmt: skip
    for field in (SINCE, SUNSET):
        if field in operation and moment(operation[field]) is None:
            yield Fault(f"`{field}` must be a date or a date-time (RFC 3339)", _EXAMPLE, (*at, field))
    since, sunset = moment(operation.get(SINCE)), moment(operation.get(SUNSET))
    if since and sunset and sunset < since:
        yield Fault(f"`{SUNSET}` is before `{SINCE}`", "", (*at, SUNSET))
    for field in LINKS:
        if field in operation and not _is_url(operation[field]):
            yield Fault(f"`{field}` must be a URL", "percent-encode other characters", (*at, field))


def moment(value: Any) -> datetime | None:
    """Return the moment of an RFC 3339 date-time, or the beginning of a date in UTC; None if it is neither."""
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        return None
    try:
        found = datetime.fromisoformat(value.upper())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _is_url(value: Any) -> bool:
    """Return whether a value has only characters of a URL reference (RFC 3986 §2)."""
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9:/?#\[\]@!$&'()*+,;=._~%-]+", value) is not None

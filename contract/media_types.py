"""Media types: `Content-Type`, `Accept`, and what the contract has for one (RFC 9110 §8.3, §12.5.1)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from contract.problems import Problem

Value = TypeVar("Value")
MAX_REMEMBERED = 256
"""How many header values an operation remembers, and how many characters one of them may have."""
_PARAMETER = re.compile(r';\s*([^\s;="]*)\s*(?:=\s*("(?:[^"\\]|\\.)*"?|[^;]*))?')


def parse_content_type(header: str) -> tuple[str, str | None]:
    """Return the media type of a `Content-Type` header in lower case, and its charset if it names one."""
    charset = None
    start = header.find(";")
    for match in _PARAMETER.finditer(header, start) if start >= 0 else ():
        if match[1].lower() == "charset" and charset is None:
            charset = (match[2] or "").strip().strip('"').lower()
    return header.partition(";")[0].strip().lower(), charset or None


def is_json(media_type: str) -> bool:
    """Return whether the media type is JSON (RFC 8259, and the suffix of RFC 6839 §3.1)."""
    return media_type.startswith("application/json") or media_type.endswith("+json")


def is_text(media_type: str) -> bool:
    """Return whether a body of this media type is text, which has a charset."""
    return media_type.startswith("text/") or media_type.endswith(("+xml", "/xml", "/javascript"))


class MediaTypes(Generic[Value]):
    """What the contract has for each media type; for a range (`image/*`, `*/*`) where it names no other."""

    def __init__(self, content: Mapping[str, Value]) -> None:
        self._exact = {_essence(name): (_essence(name), value) for name, value in content.items()}
        self.names = tuple(content)
        self._ranges = sorted(
            (name for name in self._exact if "*" in name), key=lambda name: (name.startswith("*/"), -len(name))
        )

    def __bool__(self) -> bool:
        return bool(self._exact)

    def find(self, media_type: str) -> tuple[str, Value] | None:
        """Return the name in the contract that covers a media type in lower case, and the value there."""
        if media_type in self._exact and "*" not in media_type:
            return self._exact[media_type]
        if "/" not in media_type or "*" in media_type:
            return None
        return next((self._exact[name] for name in self._ranges if _covers(name, media_type)), None)


def _essence(name: str) -> str:
    return name.partition(";")[0].strip().lower()


def _covers(name: str, media_type: str) -> bool:
    prefix, _, suffix = name.partition("*")
    return media_type.startswith(prefix) and (name == "*/*" or media_type.endswith(suffix))


def accepts(accept: str, offered: Iterable[str]) -> bool:
    """Return whether `Accept` allows one of the offered media types; the most specific range decides for each."""
    names = [_essence(media_type) for media_type in offered]
    ranges = _ranges(accept, names)
    return any(_quality(ranges, name) > 0 for name in names) or not accept.replace(",", "").strip()


def prefers(accept: str, one: str, other: str) -> bool:
    """Return whether `Accept` gives the first media type a higher quality than the other."""
    ranges = _ranges(accept, (one, other))
    return _quality(ranges, one) > _quality(ranges, other)


class Accept:
    """Checks the `Accept` header of one operation's requests."""

    def __init__(self, offered: Sequence[str]) -> None:
        self._offered = offered
        self._accepted: set[str] = set()

    def check(self, header: str) -> None:
        """Raise `Problem` (406) if the header excludes all that can be sent. What has no body is always acceptable."""
        if header in self._accepted:
            return
        if header and self._offered and not accepts(header, self._offered):
            raise Problem(406, f"Only {', '.join(self._offered)} is available, and the Accept header excludes it.")
        if len(self._accepted) < MAX_REMEMBERED and len(header) <= MAX_REMEMBERED:
            self._accepted.add(header)


def _ranges(accept: str, offered: Sequence[str]) -> dict[str, float]:
    """Return the quality of each range that matters for what is offered.

    The client decides how many others there are, so each of them takes as little time as possible.
    """
    wanted = {candidate for name in offered for candidate in _candidates(name)}
    are_all_wanted = any("*" in name for name in offered)
    ranges = {}
    for part in filter(None, accept.lower().split(",")):
        name = part.partition(";")[0].strip()
        if name in wanted or are_all_wanted:
            ranges[name] = _weight(part)
    return ranges


def _weight(part: str) -> float:
    """Return the `q` of a media range (RFC 9110 §12.4.2), 1 without a valid one."""
    for parameter in part.split(";")[1:]:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 1.0
    return 1.0


def _candidates(offered: str) -> tuple[str, str, str]:
    """Return the ranges that cover a media type, the most specific one first."""
    return offered, f"{offered.partition('/')[0]}/*", "*/*"


def _quality(ranges: dict[str, float], offered: str) -> float:
    for candidate in _candidates(offered):
        if candidate in ranges:
            return ranges[candidate]
    if "*" not in offered:
        return 0.0
    covered = (quality for name, quality in ranges.items() if "/" in name and _covers(offered, name))
    return max(covered, default=0.0)

"""Conditional requests on one resource (RFC 9110 §13), evaluated in the order of §13.2.2.

The contract has validated the headers before: each is `*` or a list of entity tags, or None if it was not sent.
Conditions on dates (`If-Unmodified-Since`, `If-Modified-Since`) are ignored, because no response has a `Last-Modified`.
"""

import re

from contract.problems import Problem

_ENTITY_TAG = re.compile(r'(W/)?("[^"]*")')


def etag(version: int) -> str:
    """The strong entity tag of a version (RFC 9110 §8.8.3)."""
    return f'"{version}"'


def is_unmodified(version: int, if_match: str | None, if_none_match: str | None) -> bool:
    """Whether a read gets 304; raise 412 if `If-Match` is false."""
    _require_match(version, if_match)
    return if_none_match is not None and _matches_weakly(if_none_match, etag(version))


def require_preconditions(version: int, if_match: str | None, if_none_match: str | None) -> None:
    """Raise 412 if a precondition of a write is false."""
    _require_match(version, if_match)
    if if_none_match is not None and _matches_weakly(if_none_match, etag(version)):
        raise _failed("If-None-Match matches", version)


def _require_match(version: int, if_match: str | None) -> None:
    if if_match is not None and not _matches_strongly(if_match, etag(version)):
        raise _failed("If-Match does not match", version)


def _matches_strongly(condition: str, current: str) -> bool:
    """Whether `*` or a tag of the list, which must not be weak, is the current one (RFC 9110 §8.8.3.2)."""
    return condition == "*" or any(tag == current and not weak for weak, tag in _ENTITY_TAG.findall(condition))


def _matches_weakly(condition: str, current: str) -> bool:
    """Whether `*` or a tag of the list, weak or not, is the current one (RFC 9110 §8.8.3.2)."""
    return condition == "*" or any(tag == current for _, tag in _ENTITY_TAG.findall(condition))


def _failed(reason: str, version: int) -> Problem:
    current = etag(version)
    return Problem(412, f"{reason} the current ETag {current}.", headers={"ETag": current})

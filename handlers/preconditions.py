"""Conditional requests on one item (RFC 9110 §13)."""

import re

from contract.problems import Problem

_ENTITY_TAG = re.compile(r'(W/)?("[!#-~]*")')


def etag(version: int) -> str:
    """The strong entity tag of a version (RFC 9110 §8.8.3)."""
    return f'"{version}"'


def is_unmodified(if_none_match: str | None, version: int) -> bool:
    """Whether `If-None-Match` names this version, by weak comparison (RFC 9110 §13.1.2)."""
    if if_none_match is None:
        return False
    return if_none_match == "*" or any(tag == etag(version) for _, tag in _ENTITY_TAG.findall(if_none_match))


def require_match(if_match: str | None, version: int) -> None:
    """Raise 412 unless `If-Match` is absent or names this version, by strong comparison (RFC 9110 §13.1.1)."""
    if if_match is None or if_match == "*":
        return
    current = etag(version)
    if not any(tag == current and not weak for weak, tag in _ENTITY_TAG.findall(if_match)):
        raise Problem(
            412,
            f"If-Match does not match the current ETag {current}.",
            headers={"ETag": current},
        )

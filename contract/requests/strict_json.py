"""JSON as it arrives, parsed strictly: what is validated is what was sent.

Stricter than RFC 8259 where it leaves senders ambiguous, as I-JSON (RFC 7493 §2) is: no property twice, no unpaired
surrogates, no NaN or Infinity, no number beyond a double or an integer of 400 digits, and at most 100 levels.
"""

import json
import math
from typing import Any

import orjson

from contract.problems import Problem, Violation, bad_request
from contract.requests.values import MAX_DIGITS

_MAX_DEPTH = 100


class InvalidJSON(ValueError):  # noqa: N818 -- the message completes a sentence: "The body …"
    """The text is not strict JSON; the message says why."""


def parse(body: bytes) -> Any:
    """Return the document in a request body. Raise `Problem` (400) that says what is wrong with it."""
    document = parse_plain_object(body)
    if document is not None:
        return document
    try:
        return parse_any(body)
    except InvalidJSON as error:
        raise _refusal(str(error)) from None


def parse_plain_object(body: bytes) -> dict[str, Any] | None:
    """Return the document if it is an object of strings, integers, booleans and nulls only, else None.

    Invariant: what this returns, `parse_any` returns as well. No escapes, so no surrogates; and each name and each
    string has two quotation marks, so a property that is there twice leaves some over.
    """
    if b"\\" in body:
        return None
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if type(document) is not dict:
        return None
    strings = len(document)
    for value in document.values():
        kind = type(value)
        if kind is str:
            strings += 1
        elif kind is not int and kind is not bool and value is not None:
            return None
    return document if body.count(b'"') == 2 * strings else None


def parse_any(body: bytes) -> Any:
    """Return the document. Raise `InvalidJSON`."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidJSON(f"is not UTF-8: byte {error.start} is invalid") from None
    return parse_text(text)


def parse_text(text: str) -> Any:
    """Return the document. Raise `InvalidJSON`."""
    if text.startswith("\ufeff"):
        raise InvalidJSON("begins with a byte order mark, which JSON does not allow")
    try:
        document = json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
        )
        too_deep = _is_deeper(document, _MAX_DEPTH)
        unpaired = "\\u" in text and _has_unpaired_surrogate(document)
    except json.JSONDecodeError as error:
        message = error.msg.removesuffix(" at")
        raise InvalidJSON(f"is not JSON: {message} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise InvalidJSON("is nested too deeply") from None
    if too_deep:
        raise InvalidJSON("is nested too deeply")
    if unpaired:
        raise InvalidJSON("has an unpaired surrogate, which is not valid Unicode")
    return document


def _refusal(detail: str) -> Problem:
    return bad_request([Violation("pointer", "", detail)])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    properties = dict(pairs)
    if len(properties) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise InvalidJSON(f"has the property {json.dumps(name)} twice in one object")
            seen.add(name)
    return properties


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise InvalidJSON(f"has a number of more than {MAX_DIGITS} digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise InvalidJSON("has a number that is too large")
    return value


def _constant(name: str) -> float:
    raise InvalidJSON(f"is not JSON: {name} is not a JSON value")


def _is_deeper(document: Any, depth: int) -> bool:
    parts = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    return depth == 0 or any(_is_deeper(part, depth - 1) for part in parts)


def _has_unpaired_surrogate(document: Any) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False

"""JSON as it arrives, parsed strictly: what is validated is what was sent.

Stricter than RFC 8259 where it leaves senders ambiguous, as I-JSON (RFC 7493 §2) is: no property twice, no unpaired
surrogates, no NaN or Infinity, no number beyond a double, and at most 100 levels.

The client decides how large a body is, and what is wrong with it. So orjson finds that, too: Python's parser takes
several times as long.
"""

import json
from typing import Any

import orjson

from contract.problems import Problem, Violation, bad_request

_MAX_DEPTH = 99
"""Objects and arrays in each other; what is in the innermost one is the 100th level."""
_MAX_SEARCHED = 16_384
"""Bytes of a body that is read again, by Python's parser, to tell which property is there twice."""


class InvalidJSON(ValueError):  # noqa: N818 -- the message completes a sentence: "The body …"
    """The text is not strict JSON; the message says why."""


def parse(body: bytes) -> Any:
    """Return the document in a request body. Raise `Problem` (400) that says what is wrong with it."""
    try:
        return parse_any(body)
    except InvalidJSON as error:
        raise _refusal(str(error)) from None


def parse_any(body: bytes) -> Any:
    """Return the document. Raise `InvalidJSON`.

    orjson reads it several times as fast as Python's parser. It accepts only what is strict JSON, but for a property
    that is there twice, and makes a double of an integer that has more than 64 bits.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _reason(error, body) from None
    if is_plain_object(document, body):
        return document
    _check_structure(document, body)
    return json.loads(body) if _MANY_DIGITS in body.translate(_DIGITS_AS_ZEROS) else document


def parse_text(text: str) -> Any:
    """Return the document in a text. Raise `InvalidJSON`."""
    return parse_any(text.encode("utf-8", "surrogatepass"))


def is_plain_object(document: Any, body: bytes) -> bool:
    """Return whether the document is an object of strings, integers, booleans and nulls, and strict JSON for sure.

    Without escapes, each name and each string has two quotation marks: a property that is there twice leaves some over.
    """
    if type(document) is not dict or b"\\" in body:
        return False
    strings = len(document)
    for value in document.values():
        kind = type(value)
        if kind is str:
            strings += 1
        elif kind is not int and kind is not bool and value is not None:
            return False
    return body.count(b'"') == 2 * strings


def _reason(error: orjson.JSONDecodeError, body: bytes) -> InvalidJSON:
    """Return why orjson refuses a body."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as invalid:
        return InvalidJSON(f"is not UTF-8: byte {invalid.start} is invalid")
    for words, reason in _REASONS.items():
        if words in error.msg:
            return InvalidJSON(reason)
    return InvalidJSON(f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}")


def _refusal(detail: str) -> Problem:
    return bad_request([Violation("pointer", "", detail)])


_TOO_DEEP = "is nested too deeply"
_REASONS = {
    "empty": "is empty",
    "byte order mark": "begins with a byte order mark, which JSON does not allow",
    "depth limit": _TOO_DEEP,
    "surrogate in string": "has an unpaired surrogate, which is not valid Unicode",
    "infinity": "has a number that is too large",
}
"""What words of orjson's messages mean; its other messages can stay as they are."""
_ORJSON_DEPTH = 254
"""Objects and arrays in each other that orjson writes. Arrays around a document make that a limit of our own."""
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_MANY_DIGITS = b"0" * 19
"""What an integer of more than 64 bits has; anything else may have it as well."""


def _check_structure(document: Any, body: bytes) -> None:
    """Raise `InvalidJSON` for more than 100 levels, and for a property that is there twice in an object.

    Only text with so many brackets has so many levels. The document is written again: orjson refuses too many levels,
    and of a property that was there twice only one is left, so there are fewer colons than in the text.
    """
    brackets = body.count(b"{") + body.count(b"[")
    if brackets <= _MAX_DEPTH and b"{" not in body:
        return
    if brackets > _MAX_DEPTH:
        for _ in range(_ORJSON_DEPTH - _MAX_DEPTH):
            document = [document]
    try:
        written = orjson.dumps(document)
    except orjson.JSONEncodeError:
        raise InvalidJSON(_TOO_DEEP) from None
    if written.count(b":") < body.count(b":") + _count_escaped_colons(body):
        if len(body) <= _MAX_SEARCHED:
            json.loads(body, object_pairs_hook=_unambiguous)
        raise InvalidJSON("has a property twice in one object")


def _count_escaped_colons(body: bytes) -> int:
    if b"\\u003" not in body:
        return 0
    escapes = body.replace(b"\\\\", b"")  # without escaped backslashes, each one left begins an escape
    return escapes.count(b"\\u003a") + escapes.count(b"\\u003A")


def _unambiguous(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise InvalidJSON(f"has the property {json.dumps(name)} twice in one object")
        seen.add(name)

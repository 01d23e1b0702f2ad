"""JSON as it arrives, parsed strictly: what is validated is what was sent.

Stricter than RFC 8259 where it leaves senders ambiguous, as I-JSON (RFC 7493 §2) is: no property twice, no unpaired
surrogates, no NaN or Infinity, no number beyond a double or an integer of 400 digits, and at most 100 levels.
"""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import orjson

from contract.problems import Problem, Violation, bad_request
from contract.requests.values import MAX_DIGITS

_MAX_DEPTH = 100


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

    Invariant: `parse_exactly` returns or raises the same. orjson reads several times as fast, and refuses what Python's
    parser accepts too much of, but makes doubles of integers that have more than 64 bits.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return parse_exactly(body)
    if is_plain_object(document, body):
        return document
    if _MANY_DIGITS in body.translate(_DIGITS_AS_ZEROS):
        return parse_exactly(body)
    _check_structure(document, body)
    return document


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


def parse_exactly(body: bytes) -> Any:
    """Return the document as Python's parser reads it. Raise `InvalidJSON`, also for what that accepts too much of."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidJSON(f"is not UTF-8: byte {error.start} is invalid") from None
    if text.startswith("\ufeff"):
        raise InvalidJSON("begins with a byte order mark, which JSON does not allow")
    try:
        document = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        message = error.msg.removesuffix(" at")
        raise InvalidJSON(f"is not JSON: {message} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _TOO_DEEP from None
    except ValueError as error:  # Python reads no integer of more than 4,300 digits
        raise error if isinstance(error, InvalidJSON) else _TOO_LONG from None
    _check_structure(document, body)
    shape = body.translate(_DIGITS_AS_ZEROS).replace(b"E", b"e")
    if any(mark in shape for mark in _LARGE):
        _check_numbers(document)
    if _SURROGATE.search(text) and _has_unpaired_surrogate(document):
        raise InvalidJSON("has an unpaired surrogate, which is not valid Unicode")
    return document


def _refusal(detail: str) -> Problem:
    return bad_request([Violation("pointer", "", detail)])


def _constant(name: str) -> float:
    raise InvalidJSON(f"is not JSON: {name} is not a JSON value")


_DECODER = json.JSONDecoder(parse_constant=_constant)
_TOO_DEEP = InvalidJSON("is nested too deeply")
_TOO_LONG = InvalidJSON(f"has a number of more than {MAX_DIGITS} digits")


_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_MANY_DIGITS = b"0" * 19
"""What an integer of more than 64 bits has; anything else may have it as well, as with the others below."""
_LARGE = (b"0" * 200, b"e000", b"e+000")
"""What a number that is too large has one of."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _check_structure(document: Any, body: bytes) -> None:
    """Raise `InvalidJSON` for more than 100 levels, and for a property that is there twice in an object.

    Only text with so many brackets has so many levels; each property has a colon, and one that is there twice is one
    in the document.
    """
    if b"{" not in body and body.count(b"[") < _MAX_DEPTH:
        return
    properties = sum(len(part) for level in _levels(document) for part in level if type(part) is dict)
    if properties != body.count(b":") and properties != _outside_strings(body).count(b":"):
        json.loads(body, object_pairs_hook=_unambiguous)


def _outside_strings(body: bytes) -> bytes:
    """Return what of valid JSON is not in strings."""
    return b"".join(body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])


def _levels(document: Any) -> Iterator[list[Any]]:
    """Yield the objects and arrays of each level, without the empty ones. Raise `InvalidJSON` at the 100th."""
    level = [document] if isinstance(document, dict | list) and document else []
    depth = 1
    while level:
        if depth == _MAX_DEPTH:
            raise _TOO_DEEP
        yield level
        depth += 1
        level = [
            part
            for node in level
            for part in (node.values() if type(node) is dict else node)
            if part and (type(part) is dict or type(part) is list)
        ]


def _unambiguous(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise InvalidJSON(f"has the property {json.dumps(name)} twice in one object")
        seen.add(name)


def _check_numbers(document: Any) -> None:
    for level in ([[document]], *_levels(document)):
        for node in level:
            values = node.values() if type(node) is dict else node
            for value in [value for value in values if type(value) is float or type(value) is int]:
                if abs(value) > sys.float_info.max:
                    if type(value) is float:
                        raise InvalidJSON("has a number that is too large")
                    if abs(value) >= _LEAST_TOO_LONG:
                        raise _TOO_LONG


_LEAST_TOO_LONG = 10**MAX_DIGITS


def _has_unpaired_surrogate(document: Any) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False

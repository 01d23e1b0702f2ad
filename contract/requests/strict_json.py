"""JSON as it arrives, parsed strictly: what is validated is what was sent.

Stricter than RFC 8259 where it leaves senders ambiguous, as I-JSON (RFC 7493 §2) is: no property twice, no unpaired
surrogates, no NaN or Infinity, no number beyond a double or an integer of 400 digits, and at most 100 levels.
"""

import json
import math
import re
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
        document = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        message = error.msg.removesuffix(" at")
        raise InvalidJSON(f"is not JSON: {message} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _TOO_DEEP from None
    except ValueError as error:  # Python reads no integer of more than 4,300 digits
        raise error if isinstance(error, InvalidJSON) else _TOO_LONG from None
    _check(document, text)
    return document


def _refusal(detail: str) -> Problem:
    return bad_request([Violation("pointer", "", detail)])


def _constant(name: str) -> float:
    raise InvalidJSON(f"is not JSON: {name} is not a JSON value")


_DECODER = json.JSONDecoder(parse_constant=_constant)
_TOO_DEEP = InvalidJSON("is nested too deeply")
_TOO_LONG = InvalidJSON(f"has a number of more than {MAX_DIGITS} digits")


def _check(document: Any, text: str) -> None:
    """Raise `InvalidJSON` for what Python's parser accepts and strict JSON does not.

    Python's parser calls a function for each number or object if it is given one, which costs ten times as much as the
    parsing. So the text is searched for what may be wrong, and only then the document is.
    """
    properties = sum(len(part) for level in _levels(document) for part in level if type(part) is dict)
    if properties != text.count(":") and properties != _STRING.sub("", text).count(":"):
        json.loads(text, object_pairs_hook=_unambiguous)
    if _LARGE_NUMBER.search(text):
        _check_numbers(document)
    if _SURROGATE.search(text) and _has_unpaired_surrogate(document):
        raise InvalidJSON("has an unpaired surrogate, which is not valid Unicode")


_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_LARGE_NUMBER = re.compile(r"[0-9]{200}|[eE]\+?[0-9]{3}")
"""What a number has that is too large; a string may have it as well."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


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
    for value in _values(document):
        if type(value) is float and math.isinf(value):
            raise InvalidJSON("has a number that is too large")
        if type(value) is int and abs(value) >= _LEAST_TOO_LONG:
            raise _TOO_LONG


_LEAST_TOO_LONG = 10**MAX_DIGITS


def _values(document: Any) -> Iterator[Any]:
    """Yield the document and everything in it that is not an empty object or array."""
    yield document
    for level in _levels(document):
        for node in level:
            yield from node.values() if type(node) is dict else node


def _has_unpaired_surrogate(document: Any) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False

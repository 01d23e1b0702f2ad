"""JSON as it arrives, parsed strictly: what is validated is what was sent.

Stricter than RFC 8259 where it leaves senders ambiguous, as I-JSON (RFC 7493 §2) is: no property twice, no unpaired
surrogates, no NaN or Infinity, no number beyond a double, and at most 100 levels.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson

from contract.problems import Problem, Violation, bad_request

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

    orjson reads it several times as fast as Python's parser. It accepts only what is strict JSON, but for a property
    that is there twice, and makes a double of an integer that has more than 64 bits.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _reason(body) from None
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


def _reason(body: bytes) -> InvalidJSON:
    """Return why orjson refuses a body, in the words of Python's parser if that refuses it too."""
    try:
        document = _DECODER.decode(body.decode("utf-8"))
        if _SURROGATE.search(body) and _has_unpaired_surrogate(document):
            return InvalidJSON("has an unpaired surrogate, which is not valid Unicode")
        _check_structure(document, body)
    except InvalidJSON as error:
        return error
    except UnicodeDecodeError as error:
        return InvalidJSON(f"is not UTF-8: byte {error.start} is invalid")
    except json.JSONDecodeError as error:
        return _described(error, body)
    except RecursionError:
        return _TOO_DEEP
    except ValueError:  # Python reads no integer of more than 4,300 digits
        pass
    return InvalidJSON("has a number that is too large")


def _described(error: json.JSONDecodeError, body: bytes) -> InvalidJSON:
    if body.startswith(_BYTE_ORDER_MARK):
        return InvalidJSON("begins with a byte order mark, which JSON does not allow")
    message = error.msg.removesuffix(" at")
    return InvalidJSON(f"is not JSON: {message} at line {error.lineno}, column {error.colno}")


def _refusal(detail: str) -> Problem:
    return bad_request([Violation("pointer", "", detail)])


def _constant(name: str) -> float:
    raise InvalidJSON(f"is not JSON: {name} is not a JSON value")


_DECODER = json.JSONDecoder(parse_constant=_constant)
_TOO_DEEP = InvalidJSON("is nested too deeply")
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_MANY_DIGITS = b"0" * 19
"""What an integer of more than 64 bits has; anything else may have it as well."""
_BYTE_ORDER_MARK = "\ufeff".encode()
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


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


def _has_unpaired_surrogate(document: Any) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False

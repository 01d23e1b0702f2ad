"""JSON as it arrives, parsed strictly: what is validated is what was sent.

Stricter than RFC 8259 where it leaves senders ambiguous, as I-JSON (RFC 7493 §2) is: no property twice, no unpaired
surrogates, no NaN or Infinity, no number beyond a double, and at most 100 levels.
"""

import json
import re
from itertools import chain
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

    Only text with so many brackets has so many levels. Each property has a colon, and strings may have more: the text
    has as many as the document written again, unless a property was there twice or a colon is escaped.
    """
    objects, arrays = body.count(b"{"), body.count(b"[")
    if not objects and arrays < _MAX_DEPTH:
        return
    colons = body.count(b":")
    if _count_properties(document, objects + arrays) == colons:
        return
    if b"\\u003" in body or _count_colons(document) != colons:
        json.loads(body, object_pairs_hook=_unambiguous)


def _count_properties(document: Any, brackets: int) -> int:
    """Return how many properties all objects have. Raise `InvalidJSON` at the 100th level; an empty one does not count.

    `brackets` are the opening ones of the text: when as many objects and arrays are found, there are no more. Built-in
    functions go through the parts of a level, which is several times as fast as a loop in Python.
    """
    count = depth = found = 0
    parts = [document]
    while True:
        kinds = set(map(type, parts))
        objects, arrays = (_of_type(kind, parts, kinds) for kind in (dict, list))
        if not any(objects) and not any(arrays):
            return count
        depth += 1
        if depth == _MAX_DEPTH:
            raise _TOO_DEEP
        count += sum(map(len, objects))
        found += len(objects) + len(arrays)
        if found == brackets:
            return count
        parts = [*chain.from_iterable(map(dict.values, objects)), *chain.from_iterable(arrays)]


def _of_type(kind: type, parts: list[Any], kinds: set[type]) -> list[Any]:
    if kind not in kinds:
        return []
    return parts if len(kinds) == 1 else [part for part in parts if type(part) is kind]


def _count_colons(document: Any) -> int:
    """Return the colons of the document when it is written; -1 if that is not known."""
    try:
        return orjson.dumps(document).count(b":")
    except orjson.JSONEncodeError:  # an integer of more than 64 bits, which only Python's parser reads
        return -1


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

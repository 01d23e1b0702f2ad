"""JSON documents as they arrive: strict, so that what the contract judged is what was sent. And as they leave."""

import json
import math
import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import orjson

from contract.problems import Problem, Violation, bad_request

_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_DATETIME
_MAX_DIGITS = 400
_LARGEST = 10**_MAX_DIGITS
_MANY_DIGITS = re.compile(rb"[0-9]{19}")
_MAX_DEPTH = 100


def parse(body: bytes) -> Any:
    """The document in `body`, or a 400 that says what is wrong with it.

    Stricter than RFC 8259 where it lets senders be ambiguous, as I-JSON (RFC 7493 §2) is: no member twice, no lone
    surrogates, no NaN or Infinity, no number beyond what a double or a 400-digit integer can hold, and no more than 100
    levels.
    """
    document = _quick(body)
    if document is not None:
        return document
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refusal(f"is not UTF-8: byte {error.start} is invalid") from None
    if text.startswith("\ufeff"):
        raise _refusal("begins with a byte order mark, which JSON does not allow")
    try:
        document = json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
        )
        too_deep = _is_deeper(document, _MAX_DEPTH)
        lone_surrogate = "\\u" in text and _has_lone_surrogate(document)
    except json.JSONDecodeError as error:
        raise _refusal(
            f"is not JSON: {error.msg.removesuffix(' at')} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise _refusal("is nested too deeply") from None
    if too_deep:
        raise _refusal("is nested too deeply")
    if lone_surrogate:
        raise _refusal("has an unpaired surrogate, which is not valid Unicode")
    return document


def _quick(body: bytes) -> dict[str, Any] | None:
    """The document, if it is an object of texts, integers, booleans and nulls alone, in which nothing can be wrong.

    Each name and each text has two quotation marks; were there more, a member would be there twice.
    """
    if b"\\" in body:
        return None
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if type(document) is not dict:
        return None
    texts = len(document)
    for value in document.values():
        kind = type(value)
        if kind is str:
            texts += 1
        elif kind is not int and kind is not bool and value is not None:
            return None
    return document if body.count(b'"') == 2 * texts else None


def encode(document: Any) -> bytes:
    """The document as it leaves: compact, in UTF-8, with a newline at its end for those who read it in a terminal.

    Dates, times, UUIDs and decimals are written as Connexion writes them, integers as they are, up to 400 digits, as
    `parse` takes them. Raises TypeError for what is not JSON.
    """
    try:
        return orjson.dumps(document, default=_to_json, option=_OPTIONS)
    except TypeError as error:
        if "64-bit" not in str(error):
            raise
    return orjson.dumps(_spelled_out(document), default=_to_json, option=_OPTIONS)


def read(body: bytes) -> Any:
    """The document in a body that the service made itself. Raises ValueError if it is not JSON."""
    if not _MANY_DIGITS.search(body):
        return orjson.loads(body)
    return json.loads(body, parse_constant=_not_json)  # orjson makes floats of integers that have more than 64 bits


def dumps(document: Any) -> str:
    """The same as text: what Connexion calls a jsonifier has this function."""
    return encode(document).decode()


def _spelled_out(value: Any) -> Any:
    """The value with its integers of more than 64 bits, which orjson does not know, as they are to be written."""
    if isinstance(value, dict):
        return {name: _spelled_out(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled_out(element) for element in value]
    if isinstance(value, int) and value.bit_length() > 63 and abs(value) < _LARGEST:
        return orjson.Fragment(str(int(value)))
    return value


def _to_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat() if value.tzinfo else value.isoformat() + "Z"
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _refusal(detail: str) -> Problem:
    return bad_request([Violation("pointer", "", detail)])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _refusal(f"has the property {json.dumps(name)} twice in one object")
            seen.add(name)
    return members


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        raise _refusal(f"has a number of more than {_MAX_DIGITS} digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise _refusal("has a number that is too large")
    return value


def _constant(name: str) -> float:
    raise _refusal(f"is not JSON: {name} is not a JSON value")


def _not_json(name: str) -> float:
    raise ValueError(f"{name} is not a JSON value")


def _is_deeper(document: Any, depth: int) -> bool:
    parts = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    return depth == 0 or any(_is_deeper(part, depth - 1) for part in parts)


def _has_lone_surrogate(document: Any) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False

"""JSON as it leaves: compact, in UTF-8, with a newline at the end for people who read it in a terminal."""

import json
import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import orjson

_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_DATETIME
_MANY_DIGITS = re.compile(rb"[0-9]{19}")
_LARGEST = 10**309
"""Integers up to here can be written, as they can be read (`requests.strict_json`)."""


def encode(document: Any) -> bytes:
    """Return the document as JSON. Raise TypeError for what is not JSON.

    Dates, times, UUIDs and decimals are written as Connexion writes them, integers of any size as they are, keys that
    are numbers or booleans as strings, as Python's own `json` does.
    """
    try:
        return orjson.dumps(document, default=_to_json, option=_OPTIONS)
    except TypeError as error:
        if not any(cause in str(error) for cause in ("64-bit", "Dict key must be str")):
            raise
    return orjson.dumps(_spelled_out(document), default=_to_json, option=_OPTIONS | orjson.OPT_NON_STR_KEYS)


def decode(body: bytes) -> Any:
    """Return the document in a body that this service made. Raise ValueError if it is not JSON."""
    if not _MANY_DIGITS.search(body):
        return orjson.loads(body)
    return json.loads(body, parse_constant=_not_json)  # orjson makes floats of integers that have more than 64 bits


def _spelled_out(value: Any) -> Any:
    """Return the value with the integers that orjson does not support, those of more than 64 bits, as raw JSON."""
    if isinstance(value, dict):
        return {name: _spelled_out(part) for name, part in value.items()}
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
    if isinstance(value, tuple):  # a named tuple
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _not_json(name: str) -> float:
    raise ValueError(f"{name} is not a JSON value")

"""Decodes single raw values: the text of a parameter or a form field becomes a value of its schema's type.

Only JSON's own notation is accepted (RFC 8259 §3, §6): neither `+1`, `1_000`, `0x1` nor `True`, all of which Python
reads. A text that does not fit the type stays a string, so that the validator reports it.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from contract.spec.schemas import Schemas
from contract.spec.types import Types

ValueDecoder = Callable[[str], Any]
SCALARS = frozenset({"string", "integer", "number", "boolean", "null"})
MAX_DIGITS = 309
"""As many as the largest double has, which limits numbers in JSON bodies."""
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "false": False}


def _integer(text: str) -> int | str:
    return int(text) if _INTEGER.fullmatch(text) and len(text) <= MAX_DIGITS else text


def _number(text: str) -> float | str:
    if _NUMBER.fullmatch(text) and len(text) <= MAX_DIGITS and math.isfinite(value := float(text)):
        return value
    return text


def _boolean(text: str) -> bool | str:
    return _BOOLEANS.get(text, text)


def _null(text: str) -> str | None:
    return None if text == "null" else text


_DECODERS: Mapping[str, ValueDecoder] = {"null": _null, "boolean": _boolean, "integer": _integer, "number": _number}


def value_decoder(types: Types, schema: Mapping[str, Any], schemas: Schemas) -> ValueDecoder:
    """Return what decodes the text of a scalar whose schema admits `types`. A schema without a type takes strings."""
    scalars = types & SCALARS
    typed = scalars - {"null", "string"}
    if len(typed) <= 1 and not (typed and "string" in scalars):
        decode = _DECODERS[next(iter(typed))] if typed else str
        return _or_null(decode) if "null" in scalars else decode
    return _first_valid([decode for name, decode in _DECODERS.items() if name in scalars], schema, schemas)


def _or_null(decode: ValueDecoder) -> ValueDecoder:
    return lambda text: None if text == "null" else decode(text)


def _first_valid(decoders: list[ValueDecoder], schema: Mapping[str, Any], schemas: Schemas) -> ValueDecoder:
    """Return what tries each of several types: the first decoded value that is valid counts, else the text itself."""
    is_valid = schemas.compile(schema).is_valid

    def decode(text: str) -> Any:
        candidates = (candidate(text) for candidate in decoders)
        return next((value for value in candidates if type(value) is not str and is_valid(value)), text)

    return decode

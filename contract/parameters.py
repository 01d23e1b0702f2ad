"""Parameters as they arrive: texts, decoded strictly by the spec's types (OpenAPI 3.0.3, Parameter Object)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from contract.problems import Violation

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_MAX_DIGITS = 400
_BOOLEANS = {"true": True, "false": False}
PLACES = {"path": "parameter", "query": "parameter", "cookie": "parameter", "header": "header"}


def query_texts(query_string: bytes) -> dict[str, list[str]]:
    """The texts of a query string by name (WHATWG URL, form-urlencoded). Raises ValueError if it is not UTF-8."""
    texts: dict[str, list[str]] = {}
    for pair in query_string.split(b"&"):
        if pair:
            name, _, value = pair.replace(b"+", b" ").partition(b"=")
            texts.setdefault(unquote_to_bytes(name).decode(), []).append(unquote_to_bytes(value).decode())
    return texts


def header_text(headers: Iterable[tuple[bytes, bytes]], name: str) -> str | None:
    """The value of a header; several lines of it are one list with commas between (RFC 9110 §5.3)."""
    wanted = name.lower().encode()
    values = [value.decode("latin-1").strip() for key, value in headers if key == wanted]
    return ", ".join(values) if values else None


def decode(schema: Mapping[str, Any], text: str) -> Any:
    """The value that a scalar's text stands for. A text that does not fit the schema's type stays as it is.

    Only JSON's own notation is taken: neither `+1`, `1_000` nor `0x1`, all of which Python reads as integers.
    """
    kind = schema.get("type")
    if kind == "integer" and _INTEGER.fullmatch(text) and len(text) <= _MAX_DIGITS:
        return int(text)
    if kind == "number" and _NUMBER.fullmatch(text) and len(text) <= _MAX_DIGITS:
        return float(text)
    if kind == "boolean":
        return _BOOLEANS.get(text, text)
    return text


def violation(parameter: Mapping[str, Any], detail: str) -> Violation:
    """A violation at a parameter or header."""
    return Violation(PLACES[parameter["in"]], parameter["name"], detail)

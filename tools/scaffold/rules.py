"""Which schemas of properties are supported, and why another one is not."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

from tools.scaffold.names import Names

MAX = 2**53 - 1
ID = {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX}
NO_NUL = {"pattern": r"^[^\u0000]*$", "x-pattern-description": "must not contain the character U+0000"}
_COMMON_KEYS = {"type", "description", "title", "nullable", "readOnly", "default", "example", "enum", "deprecated"}
_KEYS = {
    "string": {"minLength", "maxLength", "pattern", "format"},
    "integer": {"minimum", "maximum", "multipleOf", "format"},
    "number": {"minimum", "maximum", "multipleOf", "format"},
    "boolean": set(),
    "array": {"items", "minItems", "maxItems", "uniqueItems"},
}
FORMATS: Mapping[str, Mapping[str, Any]] = {
    "date": {"minLength": 10, "maxLength": 10, "example": "2026-11-23"},
    "date-time": {"maxLength": 35, "example": "2026-11-23T09:30:00Z"},
    "uuid": {  # with a pattern, because validators of OpenAPI 3.0 ignore the format
        "minLength": 36,
        "maxLength": 36,
        "pattern": "^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$",
        "x-pattern-description": "must be a UUID",
        "example": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    },
    "email": {"maxLength": 254, "example": "someone@example.com"},
    "uri": {"maxLength": 2000, "example": "https://example.com/"},
}
_ANY = re.compile(r"\[\^(?!\\u0000|\\x00|\\0)|\.|\\[DWS]")


def problems_of(schema: Mapping[str, Any], contract: Mapping[str, Any], names: Names) -> Iterator[str]:
    """Yield what is wrong with the schema of a property, as the ends of sentences."""
    kind = str(schema.get("type"))
    if kind not in _KEYS:
        yield f"has the type {kind}; supported are {', '.join(_KEYS)}"
        return
    for key in sorted(schema.keys() - _COMMON_KEYS - _KEYS[kind]):
        if not key.startswith("x-"):
            yield f"has {key}, which is not supported for the type {kind}"
    by_kind = {
        "string": _string_problems,
        "integer": _number_problems,
        "number": _number_problems,
        "array": _array_problems,
    }
    if kind in by_kind:
        yield from by_kind[kind](schema)
    if schema.get("nullable") and "enum" in schema and None not in schema["enum"]:
        yield "is nullable, so its enum must have null"
    if "x-references" in schema:
        yield from _reference_problems(schema, contract, names)


def _reference_problems(schema: Mapping[str, Any], contract: Mapping[str, Any], names: Names) -> Iterator[str]:
    table = schema["x-references"]
    if table not in {*_tables(contract), names.plural}:
        yield f"has x-references: {table}, and there is no such path with POST"
    if table == names.plural and not schema.get("nullable"):
        yield "refers to its own resource, so it must be nullable: otherwise the first one cannot be created"


def _number_problems(schema: Mapping[str, Any]) -> Iterator[str]:
    if not {"minimum", "maximum"} <= schema.keys():
        yield "needs minimum and maximum"
    elif max(abs(schema["minimum"]), abs(schema["maximum"])) > MAX:
        yield "has limits beyond ±(2^53 - 1), which not every language can represent"


def _string_problems(schema: Mapping[str, Any]) -> Iterator[str]:
    if "enum" in schema:
        if not all(value is None or isinstance(value, str) for value in schema["enum"]):
            yield "has an enum with values that are no strings"
        return
    if "maxLength" not in schema:
        yield "needs maxLength"
    if "format" in schema and schema["format"] not in FORMATS:
        yield f"has the format {schema['format']}; supported are {', '.join(FORMATS)}"
    pattern = schema.get("pattern")
    if pattern is None:
        return
    if "x-pattern-description" not in schema:
        yield 'needs x-pattern-description ("must …"), which says the pattern in words'
    if not (pattern.startswith("^") and pattern.endswith("$")) or _ANY.search(re.sub(r"\\[^DWSux0]", "", pattern)):
        yield "has a pattern that U+0000 can match, which no database column takes: use ^…$ and [^\\u0000]"


def _array_problems(schema: Mapping[str, Any]) -> Iterator[str]:
    if "maxItems" not in schema:
        yield "needs maxItems"
    if "enum" in schema:
        yield "has enum, which is not supported for the type array"
    items = schema.get("items")
    if not isinstance(items, Mapping) or items.get("type") != "string":
        yield "must have items of the type string"
    elif not {"maxLength", "enum"} & items.keys():
        yield "needs maxLength of its items"
    elif "pattern" in items and "x-pattern-description" not in items:
        yield 'needs x-pattern-description ("must …") beside the pattern of its items'


def _tables(contract: Mapping[str, Any]) -> Iterator[str]:
    for path, item in contract["paths"].items():
        if "post" in item and "{" not in path:
            yield path.strip("/")


def is_valid(schema: Mapping[str, Any], value: Any) -> bool:
    """Whether the schema has the value, null aside."""
    try:
        plain = {key: part for key, part in schema.items() if key not in ("nullable", "readOnly", "default", "example")}
        return bool(jsonschema_rs.Draft4Validator(plain, validate_formats=True).is_valid(value))
    except ValueError:
        return False

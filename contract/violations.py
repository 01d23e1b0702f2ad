"""Describes violations of JSON Schema keywords in sentences that a person can act on."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
OnViolation = Callable[[str, str], None]
"""A function that is called for each violation: whether a `request` or a `response` has it, and the operationId."""
_TYPES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "an array",
    "object": "an object",
    "null": "null",
}


def ignore(_kind: str, _name: str) -> None:
    """Count nothing: the default."""


def pointer(path: Iterable[str | int]) -> str:
    """Return the JSON Pointer (RFC 6901 §3, §4) for a path."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def explain(keyword: str, schema: Schema, value: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield how `value` violates the `keyword` of `schema`, in pairs of a path below the value and a sentence.

    Most keywords give one pair with an empty path; `required` and `additionalProperties` one for each property.
    """
    if keyword == "required":
        yield from (((name,), "is required") for name in schema["required"] if name not in value)
    elif keyword == "additionalProperties":
        known = sorted(schema.get("properties", {}))
        hint = f"is not allowed here; allowed properties: {', '.join(known)}" if known else "is not allowed here"
        yield from (((name,), hint) for name in value if name not in schema.get("properties", {}))
    else:
        sentence = _SENTENCES.get(keyword)
        yield (), sentence(schema, value) if sentence else f"does not satisfy {keyword} of the schema"


def _type(schema: Schema, _value: Any) -> str:
    declared = schema["type"]
    names = [declared] if isinstance(declared, str) else [name for name in declared if name != "null"]
    words = " or ".join(_TYPES[name] for name in names)
    nullable = schema.get("nullable") or (not isinstance(declared, str) and "null" in declared)
    return f"must be {words} or null" if nullable else f"must be {words}"


def _enum(schema: Schema, _value: Any) -> str:
    choices = [choice for choice in schema["enum"] if choice is not None]
    if len(choices) == 1:
        return f"must be {choices[0]}"
    return f"must be one of: {', '.join(map(str, choices))}"


def _pattern(schema: Schema, _value: Any) -> str:
    return str(schema.get("x-pattern-description") or f"must match the pattern {schema['pattern']}")


def _minimum(schema: Schema, _value: Any) -> str:
    return f"must be {'more than' if schema.get('exclusiveMinimum') else 'at least'} {schema['minimum']}"


def _maximum(schema: Schema, _value: Any) -> str:
    return f"must be {'less than' if schema.get('exclusiveMaximum') else 'at most'} {schema['maximum']}"


def _count(keyword: str, bound: str, one: str, many: str) -> Callable[[Schema, Any], str]:
    def sentence(schema: Schema, value: Any) -> str:
        limit = schema[keyword]
        return f"must have {bound} {limit} {one if limit == 1 else many}; it has {len(value)}"

    return sentence


_SENTENCES: dict[str, Callable[[Schema, Any], str]] = {
    "type": _type,
    "enum": _enum,
    "pattern": _pattern,
    "minimum": _minimum,
    "maximum": _maximum,
    "exclusiveMinimum": _minimum,  # a boolean beside minimum in draft 4, by either name
    "exclusiveMaximum": _maximum,
    "minLength": _count("minLength", "at least", "character", "characters"),
    "maxLength": _count("maxLength", "at most", "character", "characters"),
    "minItems": _count("minItems", "at least", "element", "elements"),
    "maxItems": _count("maxItems", "at most", "element", "elements"),
    "minProperties": _count("minProperties", "at least", "property", "properties"),
    "maxProperties": _count("maxProperties", "at most", "property", "properties"),
    "uniqueItems": lambda _schema, _value: "must not contain the same element twice",
    "multipleOf": lambda schema, _value: f"must be a multiple of {schema['multipleOf']}",
    "format": lambda schema, _value: f"must be a valid {schema['format']}",
    "not": lambda _schema, _value: "is a value that the contract excludes",
    "anyOf": lambda _schema, _value: "matches none of the schemas that are allowed here",
    "oneOf": lambda _schema, _value: "must match exactly one of the schemas that are allowed here",
}

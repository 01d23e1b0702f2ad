"""Every keyword of JSON Schema that the contract uses has a sentence that a person can act on."""

from collections.abc import Mapping
from typing import Any

import pytest

from contract.violations import explain, pointer

Found = list[tuple[tuple[str, ...], str]]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ([], ""),
        (["name"], "/name"),
        (["a", 0, "b"], "/a/0/b"),
        (["a/b"], "/a~1b"),
        (["m~n"], "/m~0n"),
        (["~1"], "/~01"),
        ([""], "/"),
    ],
)
def test_pointers_are_escaped(path: list[str | int], text: str) -> None:
    """RFC 6901 §3: `~` before `/`."""
    assert pointer(path) == text


@pytest.mark.parametrize(
    ("keyword", "schema", "value", "sentence"),
    [
        ("type", {"type": "string"}, 1, "must be a string"),
        ("type", {"type": "integer"}, "1", "must be an integer"),
        ("type", {"type": "number"}, "1", "must be a number"),
        ("type", {"type": "boolean"}, 1, "must be true or false"),
        ("type", {"type": "array"}, {}, "must be an array"),
        ("type", {"type": "object"}, [], "must be an object"),
        ("type", {"type": "string", "nullable": True}, 1, "must be a string or null"),
        ("type", {"type": ["string", "null"]}, 1, "must be a string or null"),
        ("type", {"type": ["string", "integer"]}, None, "must be a string or an integer"),
        ("enum", {"enum": ["ok"]}, "x", "must be ok"),
        ("enum", {"enum": ["id", "-id"]}, "x", "must be one of: id, -id"),
        ("enum", {"enum": ["id", None]}, "x", "must be id"),
        ("pattern", {"pattern": "^a$"}, "b", "must match the pattern ^a$"),
        ("pattern", {"pattern": "^a$", "x-pattern-description": "must be a"}, "b", "must be a"),
        ("minimum", {"minimum": 1}, 0, "must be at least 1"),
        ("minimum", {"minimum": 1, "exclusiveMinimum": True}, 1, "must be more than 1"),
        ("maximum", {"maximum": 100}, 101, "must be at most 100"),
        ("maximum", {"maximum": 9, "exclusiveMaximum": True}, 9, "must be less than 9"),
        ("minLength", {"minLength": 1}, "", "must have at least 1 character; it has 0"),
        ("maxLength", {"maxLength": 80}, "x" * 81, "must have at most 80 characters; it has 81"),
        ("maxLength", {"maxLength": 1}, "👩‍👩‍👧‍👦", "must have at most 1 character; it has 7"),
        ("minItems", {"minItems": 2}, [1], "must have at least 2 elements; it has 1"),
        ("maxItems", {"maxItems": 1}, [1, 2], "must have at most 1 element; it has 2"),
        ("minProperties", {"minProperties": 1}, {}, "must have at least 1 property; it has 0"),
        ("maxProperties", {"maxProperties": 2}, {"a": 1, "b": 2, "c": 3}, "must have at most 2 properties; it has 3"),
        ("uniqueItems", {"uniqueItems": True}, [1, 1], "must not contain the same element twice"),
        ("multipleOf", {"multipleOf": 5}, 3, "must be a multiple of 5"),
        ("format", {"format": "date-time"}, "x", "must be a valid date-time"),
        ("not", {"not": {}}, 1, "is a value that the contract excludes"),
        ("anyOf", {"anyOf": []}, 1, "matches none of the schemas that are allowed here"),
        ("oneOf", {"oneOf": []}, 1, "must match exactly one of the schemas that are allowed here"),
        ("unheardOf", {}, 1, "does not satisfy unheardOf of the schema"),
    ],
)
def test_a_keyword_has_its_sentence(keyword: str, schema: Mapping[str, Any], value: Any, sentence: str) -> None:
    """Said of the value itself."""
    assert list(explain(keyword, schema, value)) == [((), sentence)]


@pytest.mark.parametrize(
    ("keyword", "schema", "value", "found"),
    [
        ("required", {"required": ["a", "b", "c"]}, {"b": 1}, [(("a",), "is required"), (("c",), "is required")]),
        (
            "additionalProperties",
            {"properties": {"name": {}, "description": {}}, "additionalProperties": False},
            {"name": 1, "x": 1, "y": 1},
            [
                (("x",), "is not allowed here; allowed properties: description, name"),
                (("y",), "is not allowed here; allowed properties: description, name"),
            ],
        ),
        ("additionalProperties", {"additionalProperties": False}, {"x": 1}, [(("x",), "is not allowed here")]),
    ],
)
def test_properties_are_named_one_by_one(keyword: str, schema: Mapping[str, Any], value: Any, found: Found) -> None:
    """The pointer leads to the property, there or not."""
    assert list(explain(keyword, schema, value)) == found

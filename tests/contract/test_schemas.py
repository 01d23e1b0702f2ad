"""Schemas: the quick question and the whole response agree."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.spec.schemas import Schemas, _optimized

TEXTS = st.one_of(st.none(), st.integers(), st.text("ab \0\x1f\x7f", max_size=4))
EXCLUDING = {
    "one": {"type": "string", "pattern": "^[^\\u0000]*$"},
    "several": {"type": "string", "pattern": "^[^a\\u001F]*$"},
    "any type": {"pattern": "^[^b]*$"},
    "nullable": {"type": "string", "nullable": True, "maxLength": 2, "pattern": "^[^a]*$"},
    "in an array": {"type": "array", "items": {"type": "string", "pattern": "^[^a]*$"}},
    "of a name": {"type": "object", "properties": {"pattern": {"type": "string", "pattern": "^[^a]*$"}}},
}


@pytest.mark.parametrize("schema", EXCLUDING.values(), ids=EXCLUDING)
@given(text=TEXTS)
def test_what_is_valid_has_no_violations(schema: dict[str, Any], text: Any) -> None:
    """Whatever was done to the schema to validate faster."""
    assert _optimized(schema) != schema
    compiled = Schemas({}, response=False).compile(schema)
    for value in (text, [text], {"pattern": text}):
        assert compiled.is_valid(value) is (list(compiled.violations(value)) == [])


@pytest.mark.parametrize(
    "pattern", ["^[^a]+$", "^[^a]*", "[^a]*$", "^[^a-c]*$", "^[^\\d]*$", "^[^]]*$", "^[^[]*$", "^[^&&]*$", "^[a]*$"]
)
def test_other_patterns_stay(pattern: str) -> None:
    """Those that mean something else, or whose characters have a meaning of their own."""
    schema = {"type": "string", "pattern": pattern}
    assert _optimized(schema) == schema


def test_a_schema_with_a_not_of_its_own_stays() -> None:
    """There is one place for it."""
    schema = {"pattern": "^[^a]*$", "not": {"type": "integer"}}
    assert _optimized(schema) == schema


def _ring(size: int) -> dict[str, Any]:
    """So many schemas, each of which reaches all others."""
    names = [f"S{number}" for number in range(size)]
    return {
        name: {
            "type": "object",
            "required": ["n"],
            "additionalProperties": False,
            "properties": {
                "n": {"type": "integer", "maximum": number},
                "next": {"$ref": f"#/components/schemas/{after}"},
            },
        }
        for number, (name, after) in enumerate(zip(names, names[1:] + names[:1], strict=True))
    }


@pytest.mark.parametrize("size", [3, 40])
@given(start=st.integers(0, 39), numbers=st.lists(st.integers(0, 40), min_size=1, max_size=4))
def test_schemas_that_reach_each_other_validate_alike(size: int, start: int, numbers: list[int]) -> None:
    """Few have a validator each, many share one; each schema stays itself, and its violations have their places."""
    document = {"components": {"schemas": _ring(size)}}
    schema = Schemas(document, response=False).compile({"$ref": f"#/components/schemas/S{start % size}"})
    value: Any = None
    for number in reversed(numbers):
        value = {"n": number} if value is None else {"n": number, "next": value}
    wrong = [place for place, number in enumerate(numbers) if number > (start + place) % size]
    found = [path for path, _ in schema.violations(value)]
    assert schema.is_valid(value) is (found == [])
    assert sorted(found) == sorted((*("next",) * place, "n") for place in wrong)


def test_equal_schemas_share_a_validator() -> None:
    """Whatever they are called; and a schema holds only what it reaches."""
    equal = {"type": "object", "properties": {"n": {"type": "integer"}}}
    document = {"components": {"schemas": {"A": equal, "B": {**equal, "description": "The same."}, "C": {}}}}
    schemas = Schemas(document, response=False)
    first, second = (schemas.compile({"$ref": f"#/components/schemas/{name}"}) for name in "AB")
    assert first is second
    assert "definitions" not in first._schema

"""Schemas: the quick question and the whole response agree."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.problems import MAX_ERRORS
from contract.spec import schemas
from contract.spec.schemas import Schemas
from contract.spec.validators import optimized

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
    assert optimized(schema) != schema
    compiled = Schemas({}, response=False).compile(schema)
    for value in (text, [text], {"pattern": text}):
        assert compiled.is_valid(value) is (list(compiled.violations(value)) == [])


@pytest.mark.parametrize(
    "pattern", ["^[^a]+$", "^[^a]*", "[^a]*$", "^[^a-c]*$", "^[^\\d]*$", "^[^]]*$", "^[^[]*$", "^[^&&]*$", "^[a]*$"]
)
def test_other_patterns_stay(pattern: str) -> None:
    """Those that mean something else, or whose characters have a meaning of their own."""
    schema = {"type": "string", "pattern": pattern}
    assert optimized(schema) == schema


def test_a_schema_with_a_not_of_its_own_stays() -> None:
    """There is one place for it."""
    schema = {"pattern": "^[^a]*$", "not": {"type": "integer"}}
    assert optimized(schema) == schema


@st.composite
def _objects(draw: st.DrawFn) -> Any:
    return draw(st.one_of(st.none(), st.just([]), st.dictionaries(st.sampled_from("abc"), st.integers(0, 2))))


@pytest.mark.parametrize(
    ("required", "is_counted"), [(["a", "b"], True), (["b", "a"], True), (["a"], False), (["a", "c"], False)]
)
@given(value=_objects())
def test_required_properties_are_counted(required: list[str], is_counted: bool, value: Any) -> None:  # noqa: FBT001 -- a case
    """If these are all that are allowed. What is valid stays the same."""
    schema = {"additionalProperties": False, "properties": {"a": {}, "b": {"maximum": 1}}, "required": required}
    assert ("required" not in optimized(schema)) is is_counted
    for change in ({}, {"type": "object"}):
        compiled = Schemas({}, response=False).compile(schema | change)
        assert compiled.is_valid(value) is (list(compiled.violations(value)) == [])


@pytest.mark.parametrize("more", [{"additionalProperties": True}, {"additionalProperties": {}}, {"minProperties": 1}])
def test_properties_of_other_objects_are_not_counted(more: dict[str, Any]) -> None:
    """Others can be there, or there is another minimum."""
    schema = {"additionalProperties": False, "properties": {"a": {}}, "required": ["a"], **more}
    assert optimized(schema) == schema


def test_a_pattern_that_needs_backtracking_still_works() -> None:
    """It looks ahead."""
    compiled = Schemas({}, response=False).compile({"type": "string", "pattern": "^(?=a)..$"})
    assert (compiled.is_valid("ab"), compiled.is_valid("ba")) == (True, False)


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


_SMALL = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("ab", max_size=3),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.sampled_from("abcde"), part, max_size=4),
    max_leaves=8,
)
LARGE = {
    "closed": {
        "type": "object",
        "additionalProperties": False,
        "required": ["a"],
        "properties": {
            "a": {"type": "string", "maxLength": 2},
            "b": {"type": "array", "items": {"type": "integer"}},
            "c": {"type": "object", "required": ["d"]},
            "d": {"type": "string", "nullable": True},
            "e": {"not": {"type": "array", "minItems": 1}, "type": "string"},
        },
    },
    "open": {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": {"type": "string"}},
    "an array": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "integer"}}}},
    "either": {
        "anyOf": [{"type": "array", "minItems": 2}, {"type": "object", "properties": {"a": {"type": "string"}}}]
    },
}


@pytest.mark.parametrize("schema", LARGE.values(), ids=LARGE)
@given(value=_SMALL)
def test_what_the_validator_does_not_see_changes_no_violation(schema: dict[str, Any], value: Any) -> None:
    """The same violations with and without the parts that were left out."""
    found = set(Schemas({}, response=False).compile(schema).violations(value))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schemas.Schema, "_relevant", lambda _schema, value: value)
        assert set(Schemas({}, response=False).compile(schema).violations(value)) == found


def test_the_validator_does_not_see_what_is_in_a_value_of_the_wrong_type() -> None:
    """A reference to the schema of the property makes no difference."""
    document = {"components": {"schemas": {"Name": {"type": "string", "x-pattern-description": "x"}}}}
    properties = {"a": {"type": "string"}, "b": {"$ref": "#/components/schemas/Name"}, "c": {"type": "array"}}
    compiled = Schemas(document, response=False).compile({"type": "object", "properties": properties})
    assert compiled._relevant({name: [[], []] for name in "abc"}) == {"a": [], "b": [], "c": [[], []]}


def test_no_more_violations_are_looked_for_than_a_problem_lists() -> None:
    """One more, which says that there are more."""
    closed = Schemas({}, response=False).compile({"type": "object", "additionalProperties": False})
    assert len(list(closed.violations(dict.fromkeys(map(str, range(1000)))))) == MAX_ERRORS + 1

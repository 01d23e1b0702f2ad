"""Schemas: the quick question and the whole answer agree."""

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
    """Whatever was done to the schema to judge by it quickly."""
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

"""Which changes of a schema break clients: each keyword, there and back, in requests and in responses."""

from typing import Any, NamedTuple

import pytest

from tests.tools.contracts import BASE, GONE, TEXT, B, C, diff, edited, said


def verdict(old: Any, new: Any, part: str) -> str:
    """`breaking` or `compatible` if the part changed, else `-`."""
    found = [change.breaks for change in diff(old, new) if f", {part}" in change.where]
    return "-" if not found else "breaking" if any(found) else "compatible"


NO = "-"
EITHER = BASE["components"]["schemas"]["Thing"]["properties"]["either"]["oneOf"]


class Row(NamedTuple):
    """An edit of the schema Thing, and its verdict for those who send one and those who get one; there, and back."""

    place: str
    put: Any
    sent: str
    got: str
    sent_back: str
    got_back: str

    def __str__(self) -> str:
        return f"{self.place} {'gone' if self.put is GONE else self.put}"


THING = [
    # Limits
    Row("name minLength", 2, B, C, C, B),
    Row("name maxLength", 40, B, C, C, B),
    Row("name maxLength", GONE, C, B, B, C),
    Row("name pattern", GONE, C, B, B, C),
    Row("name pattern", "^b", B, B, B, B),
    Row("name pattern", ".*", C, B, B, C),
    Row("name pattern", "^.*$", C, B, B, C),
    Row("name pattern", "^ab", B, C, C, B),
    Row("name format", "email", B, C, C, B),
    Row("name format", "password", NO, NO, NO, NO),
    Row("size minimum", 2, B, C, C, B),
    Row("size maximum", 10, C, B, B, C),
    Row("size exclusiveMaximum", True, B, C, C, B),
    Row("size exclusiveMaximum", 9, B, C, C, B),
    Row("size exclusiveMinimum", 0, NO, NO, NO, NO),
    Row("size multipleOf", 2, B, C, C, B),
    Row("size multipleOf", 1, NO, NO, NO, NO),
    Row("labels maxItems", 4, B, C, C, B),
    Row("labels minItems", 1, B, C, C, B),
    Row("labels uniqueItems", True, B, C, C, B),
    Row("labels items", {"type": "string", "maxLength": 9}, B, B, B, B),
    Row("open maxProperties", 3, B, C, C, B),
    # Types and values
    Row("size type", "number", C, B, B, C),
    Row("size type", "string", B, B, B, B),
    Row("size nullable", True, C, B, B, C),
    Row("kind enum", ["a"], B, C, C, B),
    Row("kind enum", ["a", "c"], B, B, B, B),
    Row("kind enum", GONE, C, B, B, C),
    Row("kind enum", None, C, B, B, C),
    Row("kind enum", ["b", "a", "a"], NO, NO, NO, NO),
    Row("kind type", GONE, NO, NO, NO, NO),
    Row("kind", {"const": "a"}, B, C, C, B),
    Row("size type", ["integer", "null"], C, B, B, C),
    Row("size default", 1, B, C, B, C),
    Row("size not", {"enum": [3]}, B, C, C, B),
    # Properties
    Row("size", GONE, B, B, C, C),
    Row("new", TEXT, C, C, B, B),
    Row("size readOnly", True, B, NO, C, NO),
    Row("size writeOnly", True, NO, B, NO, C),
    Row("inner", {**BASE["components"]["schemas"]["Inner"], "additionalProperties": True}, C, C, B, C),
    Row("inner", {**BASE["components"]["schemas"]["Inner"], "additionalProperties": TEXT}, C, C, B, C),
    Row("open additionalProperties", TEXT, B, C, C, B),
    Row("open additionalProperties", False, B, C, C, C),
    Row("open properties b", TEXT, C, C, C, B),
    Row("open properties a maxLength", 3, B, C, C, B),
    Row("open properties a", GONE, C, B, C, C),
    Row("open properties a readOnly", True, C, NO, C, NO),
    Row("open required", ["a"], B, C, C, B),
    Row("open required", ["b"], B, C, C, B),
    # Combinations
    Row("name allOf", [{"$ref": "#/components/schemas/Name"}, {"maxLength": 7}], B, C, C, B),
    Row("either oneOf", [{"$ref": "#/components/schemas/Name"}], B, C, C, B),
    Row("either oneOf 1 maximum", 7, B, C, C, B),
    Row("either", TEXT, B, B, B, B),
    Row("either oneOf", [*EITHER, {"type": "boolean"}], C, B, B, C),
    Row("either oneOf", [*reversed(EITHER)], NO, NO, NO, NO),
    Row("either", {"anyOf": EITHER}, C, B, B, C),
    Row("either", {"oneOf": EITHER, "discriminator": {"propertyName": "a"}}, C, C, C, B),
    Row("inner", {"oneOf": [{"$ref": "#/components/schemas/Inner"}]}, NO, NO, NO, NO),
    Row("inner", {"oneOf": [{"$ref": "#/components/schemas/Inner"}, {"type": "boolean"}]}, C, B, B, C),
    Row("inner allOf", [{"not": {"maxProperties": 0}}], B, C, C, B),
    Row("size anyOf", [{"minimum": 7}, {"maximum": 3}], B, C, C, B),
]


@pytest.mark.parametrize("row", THING, ids=str)
def test_what_an_edit_of_a_schema_does_to_clients(row: Row) -> None:
    """What they send must still be taken, and what they get must be what was announced."""
    place = f"components schemas Thing properties {row.place}"
    if row.place.startswith("name ") and "allOf" not in row.place:
        place = f"components schemas Name {row.place.removeprefix('name ')}"
    new = edited((place, row.put))
    assert (verdict(BASE, new, "request body"), verdict(BASE, new, "response 200")) == (row.sent, row.got)
    assert (verdict(new, BASE, "request body"), verdict(new, BASE, "response 200")) == (row.sent_back, row.got_back)


def test_what_must_be_there() -> None:
    """A property that must be sent breaks those who did not; one that may be missing breaks those who count on it."""
    new = edited(("components schemas Thing required", ["name", "size"]))
    assert [verdict(BASE, new, part) for part in ("request body", "response 200")] == [B, C]
    assert [verdict(new, BASE, part) for part in ("request body", "response 200")] == [C, B]


def test_the_name_of_a_model_is_part_of_sdks() -> None:
    """Generators make classes of objects and enums, and of nothing else."""
    inner = BASE["components"]["schemas"]["Inner"]
    reference = {"$ref": "#/components/schemas/Core"}
    new = edited(("components schemas Core", inner), ("components schemas Thing properties inner", reference))
    assert said(BASE, new) == [
        "breaking PUT /things/{id}, request body, inner: the schema Inner is called Core",
        "breaking PUT /things/{id}, response 200, inner: the schema Inner is called Core",
    ]


def test_properties_of_two_parts_are_compared_together() -> None:
    """An object that is put together by allOf is what it was in one piece."""
    parts = [
        {"type": "object", "properties": {"x": {"type": "boolean"}}},
        {"additionalProperties": False, "required": ["x"]},
    ]
    new = edited(("components schemas Inner", {"allOf": parts}))
    assert said(BASE, new) == [
        "breaking PUT /things/{id}, request body, inner.x: is required",
        "compatible PUT /things/{id}, response 200, inner.x: is required",
    ]

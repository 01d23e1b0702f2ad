"""What is readOnly is required in responses only, what is writeOnly in requests only (OpenAPI 3.0.3, Schema Object)."""

from typing import Any

import pytest

from contract.spec.projection import Projection
from contract.spec.schemas import Schema, Schemas

ID = {"type": "integer", "readOnly": True}
PIN = {"type": "string", "writeOnly": True}
REQUIRED = {"required": ["id", "pin"]}
BOTH = {"properties": {"id": ID, "pin": PIN}}
SCHEMAS: dict[str, Any] = {
    "Id": ID,
    "Both": BOTH,
    "Required": REQUIRED,
    "Whole": REQUIRED | BOTH,
    "Tree": REQUIRED | {"properties": {"id": ID, "pin": PIN, "next": {"$ref": "#/components/schemas/Tree"}}},
}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


FORMS: dict[str, Any] = {
    "plain": REQUIRED | BOTH,
    "by name": _ref("Whole"),
    "properties by name": REQUIRED | {"properties": {"id": _ref("Id"), "pin": {"allOf": [PIN]}}},
    "in an allOf": {"allOf": [REQUIRED | BOTH]},
    "required beside": {"allOf": [BOTH, REQUIRED]},
    "required around": REQUIRED | {"allOf": [BOTH]},
    "required within": {"allOf": [REQUIRED]} | BOTH,
    "all by name": {"allOf": [_ref("Both"), _ref("Required")]},
    "deep": {"allOf": [{"allOf": [_ref("Both")]}, {"allOf": [_ref("Required")]}]},
    "in an anyOf": {"anyOf": [REQUIRED, {"required": ["other"]}]} | BOTH,
    "in a oneOf": {"oneOf": [_ref("Required"), {"required": ["other"], "not": REQUIRED}]} | BOTH,
    "itself": _ref("Tree"),
}


def _compiled(schema: Any, *, response: bool = False) -> Schema:
    return Schemas({"components": {"schemas": SCHEMAS}}, response=response).compile(schema)


def _missing(schema: Any, value: Any, *, response: bool) -> list[str]:
    compiled = _compiled(schema, response=response)
    return sorted({"/".join(path) for path, detail in compiled.violations(value) if detail == "is required"})


@pytest.mark.parametrize("form", [form for form in FORMS if not form.startswith(("in an a", "in a o"))])
@pytest.mark.parametrize(("response", "missing"), [(False, ["pin"]), (True, ["id"])])
def test_what_is_sent_is_required(form: str, missing: list[str], *, response: bool) -> None:
    """Wherever the schema says it."""
    assert _missing(FORMS[form], {}, response=response) == missing


@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_sent_is_not_required(form: str) -> None:
    """Whichever way the value goes."""
    assert _compiled(FORMS[form]).is_valid({"pin": "1"})
    assert _compiled(FORMS[form], response=True).is_valid({"id": 1})
    assert not _compiled(FORMS[form]).is_valid({"id": 1})
    assert not _compiled(FORMS[form], response=True).is_valid({})


@pytest.mark.parametrize("wrapper", ["properties", "items", "additionalProperties"])
def test_it_is_so_at_every_depth(wrapper: str) -> None:
    """In properties, elements and properties without a name; a property of the same name further out says nothing."""
    inner = REQUIRED | {"properties": {"id": ID}}
    schema = {wrapper: {"x": inner} if wrapper == "properties" else inner}
    value: Any = [{}] if wrapper == "items" else {"x": {}}
    place = "0" if wrapper == "items" else "x"
    assert _missing(schema, value, response=False) == [f"{place}/pin"]
    assert _missing(schema, value, response=True) == [f"{place}/id", f"{place}/pin"]


def test_a_tree_is_so_all_the_way_down() -> None:
    """Though it has no end."""
    assert _missing(_ref("Tree"), {"pin": "1", "next": {"pin": "1", "next": {}}}, response=False) == ["next/next/pin"]
    assert _missing(_ref("Tree"), {"id": 1, "next": {"id": 1, "next": {}}}, response=True) == ["next/next/id"]


def test_a_tree_whose_references_were_followed_has_an_end() -> None:
    """As Connexion holds it: it contains itself."""
    tree: dict[str, Any] = {"required": ["id", "name"], "properties": {"id": ID}}
    tree["properties"]["next"] = tree
    projected = Projection({}, response=False).project(tree)
    assert projected["required"] == ["name"]
    assert projected["properties"]["next"] is projected
    assert tree["required"] == ["id", "name"]


def test_what_is_ruled_out_stays_so() -> None:
    """`not` is no demand."""
    schema = {"not": {"required": ["id"]}, "properties": {"id": ID}}
    assert _compiled(schema).is_valid({})
    assert not _compiled(schema).is_valid({"id": 1})


def test_a_property_may_be_called_required() -> None:
    """Names are no keywords."""
    schema = {"properties": {"required": {"type": "string"}, "properties": ID}, "required": ["properties", "required"]}
    assert _missing(schema, {}, response=False) == ["required"]
    assert _missing(schema, {}, response=True) == ["properties", "required"]

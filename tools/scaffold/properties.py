"""The properties of a resource: what a person has written into its schema, and what follows from that."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.scaffold.names import Names, ScaffoldError, camel
from tools.scaffold.rules import FORMATS, ID, NO_NUL, is_valid, problems_of

COMMON = ("id", "created_at", "updated_at")
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST = 25


@dataclass(frozen=True)
class Property:
    """One property: `schema` has its rules, without those of its place (`readOnly`, `default`)."""

    name: str
    component: str
    schema: Mapping[str, Any]
    required: bool
    read_only: bool
    default: Any
    """What a property that is left out becomes; None as well if it is required."""
    is_new: bool
    """Whether its rules are written here, and move to a component of their own."""

    @property
    def example(self) -> Any:
        """A valid value."""
        return self.schema["example"]

    @property
    def nullable(self) -> bool:
        """Whether it can be null."""
        return bool(self.schema.get("nullable"))

    @property
    def references(self) -> str | None:
        """The table that it refers to."""
        found = self.schema.get("x-references")
        return None if found is None else str(found)


def properties(names: Names, schema: Mapping[str, Any], contract: Mapping[str, Any]) -> list[Property]:
    """The resource's own properties, without those that the service owns in every resource. Raises `ScaffoldError`."""
    problems = list(_schema_problems(names, schema))
    found = []
    for name in schema.get("properties") or ():
        if name in COMMON:
            continue
        try:
            found.append(_property(name, names, schema, contract))
        except ScaffoldError as error:
            problems += error.problems
    if not problems and all(each.read_only for each in found):
        problems.append(f"{names.schema} has no property that a client can write.")
    if problems:
        raise ScaffoldError(problems)
    return found


def _schema_problems(names: Names, schema: Mapping[str, Any]) -> Iterator[str]:
    name = names.schema
    if schema.get("type", "object") != "object":
        yield f"{name}.type must be object."
    if schema.get("additionalProperties", False) is not False:
        yield f"{name}.additionalProperties must be false: what the contract does not list is never stored."
    for key in schema.keys() - {"type", "description", "title", "properties", "required", "additionalProperties"}:
        yield f"{name}.{key} is not supported; write it after the command has run."
    if not isinstance(schema.get("properties"), Mapping) or not schema["properties"]:
        yield f"{name} has no properties."
        return
    for missing in sorted({*schema.get("required", ())} - schema["properties"].keys() - {*COMMON}):
        yield f"{name}.required names {missing}, which is not among its properties."


def _property(name: str, names: Names, owner: Mapping[str, Any], contract: Mapping[str, Any]) -> Property:
    where, written = f"{names.schema}.properties.{name}", owner["properties"][name]
    if not isinstance(written, Mapping):
        raise ScaffoldError([f"{where} must be a schema."])
    if not _NAME.fullmatch(name) or len(name) > _LONGEST or name in ("version", "owner"):
        rule = f"must have small letters, digits and single underscores, at most {_LONGEST} characters"
        raise ScaffoldError([f"{where}: the name {rule}, and must not be version or owner."])
    component, schema = _resolved(where, written, names, name, contract)
    schema = _complete(schema, names, name)
    problems = [*problems_of(schema, contract, names)] or ["needs an example"] * ("example" not in schema)
    if problems:
        raise ScaffoldError([f"{where} {problem}." for problem in problems])
    found = Property(
        name=name,
        component=component,
        schema={key: value for key, value in schema.items() if key not in ("readOnly", "default")},
        required=_is_required(name, schema, owner),
        read_only=bool(schema.get("readOnly")),
        default=schema.get("default"),
        is_new=not _references(written),
    )
    if problems := [*_value_problems(found)]:
        raise ScaffoldError([f"{where}{problem}." for problem in problems])
    return found


def _is_required(name: str, schema: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """Whether a client has to give it: as the person says; else if it can neither be null nor has a default."""
    if schema.get("readOnly"):
        return False
    return name in owner["required"] if "required" in owner else not schema.get("nullable") and "default" not in schema


def _value_problems(each: Property) -> Iterator[str]:
    if not each.required and not each.nullable and each.default is None:
        reason = "readOnly, and no client gives it a value" if each.read_only else "not required"
        yield f" is {reason}: it must be nullable or have a default"
    for key, value in (("example", each.example), ("default", each.default)):
        if value is not None and not is_valid(each.schema, value):
            yield f".{key} is not valid: {value!r}"


def _resolved(
    where: str, written: Mapping[str, Any], names: Names, name: str, contract: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The component of a property and its rules; a component that the person refers to stays theirs."""
    references = _references(written)
    if not references:
        return names.schema + camel(name), dict(written)
    reference = references[0]
    component = reference.removeprefix("#/components/schemas/")
    target = contract["components"]["schemas"].get(component)
    if target is None:
        raise ScaffoldError([f"{where} refers to {reference}, which is not one of components.schemas."])
    return component, {**target, **{key: value for key, value in written.items() if key not in ("$ref", "allOf")}}


def _references(written: Mapping[str, Any]) -> list[str]:
    return [str(part["$ref"]) for part in (written, *written.get("allOf", ())) if "$ref" in part]


def _complete(written: Mapping[str, Any], names: Names, name: str) -> dict[str, Any]:
    """The schema with what follows from the rest: limits of formats and ids, a description, an example."""
    schema = dict(written)
    words = name.replace("_", " ")
    if "x-references" in schema:
        schema = {**ID, **schema}
        schema.setdefault("description", f"The id of the {words.removesuffix(' id')} that the {names.noun} refers to.")
        schema.setdefault("example", 1)
    schema.setdefault("description", f"The {words} of the {names.noun}.")
    kind = schema.get("type")
    if kind == "string" and "enum" not in schema:
        for key, value in FORMATS.get(str(schema.get("format")), {}).items():
            schema.setdefault(key, value)
        if "format" not in schema and "pattern" not in schema:
            schema.update(NO_NUL)
    if (
        kind == "array"
        and isinstance(schema.get("items"), Mapping)
        and not {"enum", "example"} & schema["items"].keys()
    ):
        schema["items"] = {**schema["items"], "example": _example(schema["items"])}
    if "example" not in schema and (example := _example(schema)) is not None:
        schema["example"] = example
    example = schema.pop("example", None)
    return schema if example is None else {**schema, "example": example}


def _example(schema: Mapping[str, Any]) -> Any:
    """The first valid one of some values that people would write."""
    kind = schema.get("type")
    candidates: list[Any] = [value for value in schema.get("enum", ()) if value is not None]
    if kind == "string":
        candidates += ["Example", "example", "Ex", "x", "EX", "1", "x" * int(schema.get("minLength", 0))]
    elif kind in ("integer", "number"):
        candidates += [1, schema.get("minimum"), schema.get("maximum")]
    elif kind == "boolean":
        candidates.append(True)
    elif kind == "array" and isinstance(schema.get("items"), Mapping):
        element = schema["items"].get("example", _example(schema["items"]))
        candidates += [[element], [f"{element}{number}" for number in range(int(schema.get("minItems", 0)))]]
    return next((value for value in candidates if value is not None and is_valid(schema, value)), None)

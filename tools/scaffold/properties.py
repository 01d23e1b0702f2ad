"""The properties of a resource: what a person has written into its schema, and what follows from that."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from tools.scaffold.names import Names, ScaffoldError, camel

MAX = 2**53 - 1
ID = {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX}
COMMON = ("id", "created_at", "updated_at")
NO_NUL = {"pattern": r"^[^\u0000]*$", "x-pattern-description": "must not contain the character U+0000"}
_COMMON_KEYS = {"type", "description", "title", "nullable", "readOnly", "default", "example", "enum", "deprecated"}
_KEYS = {
    "string": {"minLength", "maxLength", "pattern", "format"},
    "integer": {"minimum", "maximum", "multipleOf", "format"},
    "number": {"minimum", "maximum", "multipleOf", "format"},
    "boolean": set(),
    "array": {"items", "minItems", "maxItems", "uniqueItems"},
}
_FORMATS: Mapping[str, Mapping[str, Any]] = {
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
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST = 25
_ANY = re.compile(r"\[\^(?!\\u0000|\\x00|\\0)|\.|\\[DWS]")


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
    if not _NAME.fullmatch(name) or len(name) > _LONGEST or name == "version":
        rule = f"must have small letters, digits and single underscores, at most {_LONGEST} characters"
        raise ScaffoldError([f"{where}: the name {rule}, and must not be version."])
    component, schema = _resolved(where, written, names, name, contract)
    schema = _complete(schema, names, name)
    problems = [*_problems(schema, contract, names)] or ["needs an example"] * ("example" not in schema)
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
        if value is not None and not _is_valid(each.schema, value):
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
        for key, value in _FORMATS.get(str(schema.get("format")), {}).items():
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
    return next((value for value in candidates if value is not None and _is_valid(schema, value)), None)


def _problems(schema: Mapping[str, Any], contract: Mapping[str, Any], names: Names) -> Iterator[str]:
    kind = str(schema.get("type"))
    if kind not in _KEYS:
        yield f"has the type {kind}; supported are {', '.join(_KEYS)}"
        return
    for key in sorted(schema.keys() - _COMMON_KEYS - _KEYS[kind]):
        if not key.startswith("x-"):
            yield f"has {key}, which is not supported for the type {kind}"
    if kind == "string":
        yield from _string_problems(schema)
    elif kind in ("integer", "number") and not {"minimum", "maximum"} <= schema.keys():
        yield "needs minimum and maximum"
    elif kind in ("integer", "number") and max(abs(schema["minimum"]), abs(schema["maximum"])) > MAX:
        yield "has limits beyond ±(2^53 - 1), which not every language can represent"
    elif kind == "array":
        yield from _array_problems(schema)
    if "enum" in schema and kind == "array":
        yield "has enum, which is not supported for the type array"
    if schema.get("nullable") and "enum" in schema and None not in schema["enum"]:
        yield "is nullable, so its enum must have null"
    if "x-references" in schema and schema["x-references"] not in {*_tables(contract), names.plural}:
        yield f"has x-references: {schema['x-references']}, and there is no such path with POST"
    if schema.get("x-references") == names.plural and not schema.get("nullable"):
        yield "refers to its own resource, so it must be nullable: otherwise the first one cannot be created"


def _string_problems(schema: Mapping[str, Any]) -> Iterator[str]:
    if "enum" in schema:
        if not all(value is None or isinstance(value, str) for value in schema["enum"]):
            yield "has an enum with values that are no strings"
        return
    if "maxLength" not in schema:
        yield "needs maxLength"
    if "format" in schema and schema["format"] not in _FORMATS:
        yield f"has the format {schema['format']}; supported are {', '.join(_FORMATS)}"
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


def _is_valid(schema: Mapping[str, Any], value: Any) -> bool:
    try:
        plain = {key: part for key, part in schema.items() if key not in ("nullable", "readOnly", "default", "example")}
        return bool(jsonschema_rs.Draft4Validator(plain, validate_formats=True).is_valid(value))
    except ValueError:
        return False

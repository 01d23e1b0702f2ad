"""Says what is wrong where a document violates the JSON Schema of OpenAPI 3.0, in the words of its authors."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from contract.connexion_internals import OPENAPI_SCHEMA
from contract.diagnostics import Fault, Steps, suggestion
from contract.spec.document import FILES, METHODS

_DEFINITIONS: Mapping[str, Any] = OPENAPI_SCHEMA["definitions"]
_WORDS = {"array": "a list", "object": "a mapping", "string": "a string", "boolean": "true or false",
          "number": "a number", "integer": "a whole number"}  # fmt: skip
_NAMES = {"Info": "`info`", "Components": "`components`", "Paths": "`paths`", "Responses": "`responses`",
          "PathItem": "a path", "XML": "`xml`", "ExternalDocumentation": "`externalDocs`"}  # fmt: skip
_OTHER_TYPES = {"float": "number", "double": "number", "list": "array", "dict": "object", "map": "object",
                "text": "string", "date": "string", "file": "string", "null": "nullable: true"}  # fmt: skip
# Fields of OpenAPI 3.1 and JSON Schema that OpenAPI 3.0 writes differently.
_HINTS = {
    ("Schema", "const"): "write `enum: [value]`",
    ("Schema", "examples"): "write `example`, with one value",
    ("Schema", "$defs"): "put schemas into `components.schemas`",
    ("Schema", "definitions"): "put schemas into `components.schemas`",
    ("Schema", "patternProperties"): "OpenAPI 3.0 has only `additionalProperties`",
    ("Responses", "2xx"): "write `2XX`",
    ("", "webhooks"): "OpenAPI 3.0 has `callbacks` of an operation",
    ("", "definitions"): "write `components.schemas`",
    ("", "swagger"): "OpenAPI 3.0 begins with `openapi: 3.0.3`",
}


def explained(error: Any, at: Steps) -> Iterator[Fault]:
    """Yield the faults that one violation stands for."""
    yield from _EXPLANATIONS.get(error.kind.name, unforeseen)(error, at, owner_of(error.schema_path))


def owner_of(schema_path: Sequence[Any]) -> str:
    """Return the name of the OpenAPI object whose schema the path goes through last; empty for the document."""
    return str(schema_path[1]) if schema_path[:1] == ["definitions"] else ""


def named(owner: str, at: Steps) -> str:
    """Return what the object is, for a sentence."""
    if not owner:
        return "the contract"
    if owner in _NAMES:
        return _NAMES[owner]
    if owner in ("SchemaXORContent", "ExampleXORExamples", "ParameterLocation"):
        owner = "Header" if "headers" in at[-2:] else "Parameter"
    owner = "SecurityScheme" if owner.endswith("SecurityScheme") else owner
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", owner).lower()
    return f"{'an' if words[:1] in 'aeiou' else 'a'} {words}"


def _fields(owner: str) -> list[str]:
    """Return the names of the fields of an OpenAPI object."""
    definition = _DEFINITIONS.get(owner, OPENAPI_SCHEMA)
    return [*definition.get("properties", {}), *(METHODS if owner == "PathItem" else ()), "$ref"]


def _unexpected(error: Any, at: Steps, owner: str) -> Iterator[Fault]:
    for name in error.kind.unexpected:
        if at == () and name == FILES:
            continue
        if owner == "Paths":
            message, help_ = f"the path `{name}` does not begin with `/`", f"write `/{name}`"
        elif owner == "Responses" and (owner, name) not in _HINTS and not suggestion(name, ["default"]):
            message, help_ = f"`{name}` is not a status", "a status is `200`, `2XX` or `default`"
        else:
            fields = _fields(owner)
            message = f"{named(owner, at)} has no field `{name}`"
            help_ = _HINTS.get((owner, name)) or suggestion(name, fields) or _all(fields)
        yield Fault(message, help_, (*at, name), key=True)


def _all(fields: Sequence[str]) -> str:
    shown = [field for field in fields if field != "$ref"]
    return f"its fields: {', '.join(shown)}" if len(shown) <= 12 else "or did you mean an extension, `x-…`?"


def _required(error: Any, at: Steps, owner: str) -> Iterator[Fault]:
    name = error.kind.property
    known = set(_fields(owner))
    if any(suggestion(field, [name]) for field in error.instance if field not in known):
        return  # it is there, misspelt
    required = ": true" if (owner, name) == ("ParameterLocation", "required") else ": …"
    yield Fault(f"{named(owner, at)} needs the field `{name}`", f"add `{name}{required}`", at, key=True)


def _wrong_type(error: Any, at: Steps, _owner_name: str) -> Iterator[Fault]:
    expected = " or ".join(_WORDS[name] for name in error.kind.types)
    if error.instance is None:
        yield Fault(f"{_field(at)} is empty; it must be {expected}", at=at, key=True)
        return
    help_ = ""
    if error.kind.types == ["string"] and not isinstance(error.instance, dict | list):
        help_ = f'write "{_short(error.instance)}", in quotes'
    if error.kind.types == ["array"] and not isinstance(error.instance, dict | list | bool):
        help_ = f"write [{_short(error.instance)}]"
    if at[-1:] == ("type",) and isinstance(error.instance, list):
        help_ = "write one type, and `nullable: true` for null"
    if at[-1:] == ("required",) and isinstance(error.instance, bool):
        help_ = "list the names of the required properties in the object's schema"
    yield Fault(f"{_field(at)} must be {expected}", help_, at)


def _enum(error: Any, at: Steps, _owner_name: str) -> Iterator[Fault]:
    if not isinstance(error.instance, list | dict | None):  # its type is a violation as well
        yield not_one_of(error.instance, at, error.kind.options)


def not_one_of(value: Any, at: Steps, options: Sequence[Any]) -> Fault:
    """Return the fault of a value that is none of the options."""
    texts = list(dict.fromkeys(_short(option) for option in options))
    other = _OTHER_TYPES.get(value) if isinstance(value, str) and at[-1:] == ("type",) else None
    if other:
        return Fault(f"{_field(at)} must be one of: {', '.join(texts)}", f"write `{other}`", at)
    wanted = f"one of: {', '.join(texts)}" if len(texts) > 1 else texts[0]
    return Fault(f"{_field(at)} must be {wanted}", suggestion(str(value), texts) if len(texts) > 1 else "", at)


def _pattern(error: Any, at: Steps, owner: str) -> Iterator[Fault]:
    if at == ("openapi",):
        yield Fault(f"the version {_short(error.instance)} is not supported", "write 3.0.3", at)
    else:
        yield from unforeseen(error, at, owner)


def _format(error: Any, at: Steps, _owner_name: str) -> Iterator[Fault]:
    kind = {"regex": "a regular expression", "email": "an e-mail address", "uri-reference": "a URL", "uri": "a URL"}
    yield Fault(f"{_field(at)} must be {kind.get(error.kind.format, error.kind.format)}", at=at)


def _not(error: Any, at: Steps, owner: str) -> Iterator[Fault]:
    both = error.kind.schema.get("required", [])
    if len(both) == 2:
        message = f"`{both[0]}` and `{both[1]}` exclude each other"
        yield Fault(message, "remove one of them", (*at, both[1]), key=True)
    elif len(both) == 1 and owner == "SchemaXORContent":
        yield Fault(f"`{both[0]}` has no effect beside `content`", "remove it", (*at, both[0]), key=True)
    else:
        yield from unforeseen(error, at, owner)


def _too_few(_error: Any, at: Steps, owner: str) -> Iterator[Fault]:
    yield Fault(f"{_field(at)} must not be empty", "add a status" if owner == "Responses" else "", at, key=True)


def unforeseen(error: Any, at: Steps, _owner_name: str) -> Iterator[Fault]:
    """Yield the violation in the validator's own words."""
    message = error.message if len(error.message) <= 200 else f"{error.message[:199]}…"
    yield Fault(message, at=at)


def _field(at: Steps) -> str:
    """Return the field of the last step, for a sentence; an element of a list has that of the list."""
    if not at:
        return "the contract"
    return f"an element of `{at[-2]}`" if at[-1].isdigit() and len(at) > 1 and at[-2] != "responses" else f"`{at[-1]}`"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= 40 else f"{text[:39]}…"


_EXPLANATIONS = {
    "additionalProperties": _unexpected,
    "required": _required,
    "type": _wrong_type,
    "enum": _enum,
    "pattern": _pattern,
    "format": _format,
    "not": _not,
    "minProperties": _too_few,
    "minItems": _too_few,
}

"""Whether a document has the structure of OpenAPI 3.0: the violations of its JSON Schema, in the words of its authors.

The schema often offers an alternative (`oneOf`: a response or a reference). A violation of all alternatives becomes the
violations of the one that is meant.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jsonschema_rs
import orjson

from contract.connexion_internals import OPENAPI_SCHEMA
from contract.diagnostics import Fault, Steps
from contract.spec.consistency import section
from contract.spec.document import FILES, Document, Uncompilable, resolve, steps
from contract.spec.wording import explained, named, not_one_of, owner_of, unforeseen

_DEFINITIONS: Mapping[str, Any] = OPENAPI_SCHEMA["definitions"]
_KINDS = {"parameters": "Parameter", "responses": "Response", "headers": "Header", "examples": "Example",
          "links": "Link", "callbacks": "Callback", "requestBodies": "RequestBody", "schemas": "Schema"}  # fmt: skip
"""The OpenAPI objects in the sections of `components`."""
_DECIDING = ("in", "type")
"""The fields whose value decides which alternative is meant."""


def faults(document: Document) -> Iterator[Fault]:
    """Yield what violates OpenAPI's own schema."""
    try:
        orjson.dumps(document, option=orjson.OPT_PASSTHROUGH_DATETIME)
        errors = list(jsonschema_rs.Draft4Validator(dict(OPENAPI_SCHEMA)).iter_errors(document))
    except (TypeError, ValueError) as reason:
        found = list(_not_json(document, ()))
        yield from found or [Fault(f"it holds a value that JSON does not have: {reason}")]
        return
    for error in errors:
        yield from _faults_of(error, ())


def part_faults(document: Document, references: Mapping[str, Sequence[Steps]]) -> Iterator[Fault]:
    """Yield what violates OpenAPI's own schema in the parts of other files that the contract refers to."""
    validators: dict[str, Any] = {}
    for reference, places in references.items():
        kind = (
            "PathItem" if places[0][:1] == ("paths",) and len(places[0]) == 2 else _KINDS.get(section(places[0]) or "")
        )
        at = steps(reference[1:])
        if kind is None or at[:1] != (FILES,):
            continue
        if kind not in validators:
            schema = {"$ref": f"#/definitions/{kind}", "definitions": _DEFINITIONS}
            validators[kind] = jsonschema_rs.Draft4Validator(schema)
        try:
            part = resolve(document, {"$ref": reference})
        except Uncompilable:
            continue
        for error in validators[kind].iter_errors(part):
            yield from _faults_of(error, at)


def _faults_of(error: Any, at: Steps) -> Iterator[Fault]:
    """Yield the faults that a violation in the part at these steps stands for, at least one."""
    found = list(_explained(error)) or list(unforeseen(error, tuple(map(str, error.instance_path)), ""))
    yield from (replace(fault, at=(*at, *fault.at)) for fault in found)


def _not_json(node: Any, at: Steps) -> Iterator[Fault]:
    """Yield the values that JSON does not have. YAML reads `2026-01-31` as a date."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _not_json(value, (*at, str(key)))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _not_json(value, (*at, str(number)))
    elif not isinstance(node, str | int | float | None):
        yield Fault(f"YAML reads this as a {type(node).__name__}, which JSON does not have", "put it in quotes", at)


def _explained(error: Any) -> Iterator[Fault]:
    """Yield the faults that a violation stands for."""
    if error.kind.name in ("oneOf", "anyOf") and all(error.kind.context):
        yield from _alternative(error)
        return
    if error.kind.name == "oneOf" and error.kind.context:
        return  # several alternatives are valid but for what is said already
    yield from explained(error, tuple(map(str, error.instance_path)))


def _alternative(error: Any) -> Iterator[Fault]:
    """Yield the faults of the alternative that is meant, or say which alternatives there are."""
    at, node = tuple(map(str, error.instance_path)), error.instance
    has_reference = isinstance(node, Mapping) and "$ref" in node
    branches = [branch for branch in error.kind.context if _is_reference(branch) is has_reference]
    deciding = [_deciding(branch, at) for branch in branches]
    if len(branches) == 1:
        deciding = [None]
    meant = [branch for branch, wrong in zip(branches, deciding, strict=True) if wrong is None]
    if not meant and deciding:
        options = [option for wrong in deciding for option in wrong.kind.options]
        yield not_one_of(deciding[0].instance, (*at, deciding[0].instance_path[-1]), options)
        return
    missing = [branch[0].kind.property for branch in meant if branch and branch[0].kind.name == "required"]
    if len(missing) > 1 and len(missing) == len(meant):
        fields = " or ".join(f"`{field}`" for field in missing)
        yield Fault(f"{named(owner_of(error.schema_path), at)} needs {fields}", at=at, key=True)
        return
    for inner in min(meant, key=len, default=()):
        yield from _explained(inner)


def _is_reference(branch: Sequence[Any]) -> bool:
    return bool(branch) and "Reference" in branch[0].schema_path[:2]


def _deciding(branch: Sequence[Any], at: Steps) -> Any:
    """Return the error by which an alternative is not the one that is meant, or None."""
    for error in branch:
        if (
            error.kind.name == "enum"
            and len(error.instance_path) == len(at) + 1
            and error.instance_path[-1] in _DECIDING
        ):
            return error
    return None

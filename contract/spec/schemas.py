"""OpenAPI 3.0 schemas, compiled once into `jsonschema_rs` validators (JSON Schema draft 4, as Connexion has it).

A validator holds only the schemas that its own schema reaches, and equal schemas share one validator: time and memory
grow with the contract, not with its square.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from hashlib import blake2b
from itertools import islice
from typing import Any
from urllib.parse import quote

from contract.problems import MAX_ERRORS
from contract.spec.document import Document, resolve
from contract.spec.projection import Projection
from contract.spec.validators import VALUES, compiled, validator
from contract.violations import explain

Path = tuple[str, ...]
_DESCRIBED = "x-pattern-description"  # the sentence of a violation of `pattern`
# Keywords that say nothing about which values are valid.
_ANNOTATIONS = {"title", "description", "example", "examples", "externalDocs", "xml", "default", "discriminator",
                "deprecated", "nullable", "readOnly", "writeOnly"}  # fmt: skip
# Keywords that validate values of one type each, beside those that say nothing.
_PLAIN = _ANNOTATIONS | {"type", "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "multipleOf",
                         "exclusiveMinimum", "exclusiveMaximum", "properties", "required", "additionalProperties",
                         "items", "minItems", "maxItems", "uniqueItems", "definitions", _DESCRIBED}  # fmt: skip
_MANY = 16
"""From how many definitions on a named schema shares a validator with those that it reaches."""


class Schema:
    """A schema that validates values. `is_valid` is fast; `violations` explains what is wrong.

    Invariant: `is_valid(value)` if and only if `violations(value)` is empty.
    """

    def __init__(self, schema: Mapping[str, Any], is_valid: Callable[[Any], bool]) -> None:
        self._schema = schema
        self.is_valid = is_valid

    @cached_property
    def _iter_errors(self) -> Callable[[Any], Iterable[Any]]:
        """Find all errors of a value. Compiled at the first violation, from the schema as the contract has it."""
        return validator(self._schema).iter_errors  # type: ignore[no-any-return]

    def violations(self, value: Any) -> Iterator[tuple[Path, str]]:
        """Yield the violations, as many as a problem can list: the path to the place in the value, and a sentence."""
        return islice(self._every_violation(value), MAX_ERRORS + 1)

    def _every_violation(self, value: Any) -> Iterator[tuple[Path, str]]:
        for error in self._iter_errors(self._relevant(value)):
            schema = self._at(error.schema_path[:-1])
            for steps, detail in explain(error.kind.name, schema, error.instance):
                yield (*map(str, error.instance_path), *steps), detail

    def _relevant(self, value: Any) -> Any:
        """Return the value without what changes no violation: the content of an array or object of the wrong type, the
        values of properties that are not allowed, and more of these than a problem lists.

        The validator copies the whole value, and the client decides how large it is. One level of properties is enough
        to cover what costs most.
        """
        schema = self._definition(self._schema)
        if not isinstance(value, dict) or not schema.keys() <= _PLAIN:
            return _emptied(schema, value)
        properties = self._properties
        relevant = {name: _emptied(properties[name], part) for name, part in value.items() if name in properties}
        unknown = (name for name in value if name not in properties)
        if schema.get("additionalProperties") is False:
            return relevant | dict.fromkeys(islice(unknown, MAX_ERRORS + 1))
        return relevant | {name: value[name] for name in unknown}

    @cached_property
    def _properties(self) -> dict[str, Mapping[str, Any]]:
        declared = self._definition(self._schema).get("properties", {})
        return {name: self._definition(part) for name, part in declared.items()}

    def _at(self, path: list[str | int]) -> Mapping[str, Any]:
        """Return the subschema that a keyword belongs to; a step `$ref` follows the reference."""
        node: Any = self._schema
        for step in path:
            node = self._definition(node) if step == "$ref" else node[step]
        return self._definition(node)

    def _definition(self, node: Any) -> Mapping[str, Any]:
        while "$ref" in node:
            node = self._schema["definitions"][node["x-definition"]]
        return node  # type: ignore[no-any-return]


def _emptied(schema: Mapping[str, Any], value: Any) -> Any:
    kind = "array" if isinstance(value, list) else "object" if isinstance(value, dict) else None
    declared = schema.get("type")
    if kind is None or declared is None or not schema.keys() <= _PLAIN:
        return value
    return value if kind == declared or kind in declared else type(value)()


class Schemas:
    """The schemas of one contract, as they are in requests or in responses."""

    def __init__(self, document: Document, *, response: bool) -> None:
        self._document = document
        self._projection = Projection(document, response=response)
        self._response = response
        self._definitions: dict[str, tuple[Any, frozenset[str]]] = {}
        self._by_reference: dict[str, Schema] = {}
        self._compiled: dict[bytes, Schema] = {}

    def compile(self, schema: Mapping[str, Any]) -> Schema:
        """Return the compiled schema. Raise `Uncompilable` for what JSON Schema or this contract does not have."""
        reference = schema.get("$ref")
        if reference in self._by_reference:
            return self._by_reference[reference]
        references: set[str] = set()
        converted = self._converted(self._projection.project(resolve(self._document, schema)), references)
        definitions = self._reachable(references)
        if reference is not None and len(definitions) >= _MANY:
            self._compile_together({reference, *definitions})
            return self._by_reference[reference]
        compiled = self._shared({**converted, "definitions": definitions} if definitions else converted)
        if reference is not None:
            self._by_reference[reference] = compiled
        return compiled

    def _shared(self, schema: dict[str, Any]) -> Schema:
        """Compile a schema, or return the equal one that is compiled already."""
        canonical = json.dumps(schema, sort_keys=True, default=str)
        key = blake2b(canonical.encode()).digest()  # the text itself would stay in memory, once for each schema
        if key not in self._compiled:
            self._compiled[key] = Schema(schema, compiled(schema).is_valid)
        return self._compiled[key]

    def _compile_together(self, references: set[str]) -> None:
        """Compile schemas that reach each other into one validator: each part of it exists once, not once for each.

        The validator takes an object with one property, whose name says which schema is meant.
        """
        definitions = self._reachable(references)
        properties = {reference: _reference(reference) for reference in references}
        together = compiled({"properties": properties, "definitions": definitions})
        for reference in references:
            if reference not in self._by_reference:
                schema = {**_reference(reference), "definitions": definitions}
                self._by_reference[reference] = Schema(schema, partial(_is_valid_in, together.is_valid, reference))

    def _reachable(self, references: Iterable[str]) -> dict[str, Any]:
        """Return the definitions behind the references, and behind those in them."""
        reached: dict[str, Any] = {}
        waiting = list(references)
        while waiting:
            reference = waiting.pop()
            if reference not in reached:
                reached[reference], further = self._define(reference)
                waiting += further
        return reached

    def _define(self, reference: str) -> tuple[Any, frozenset[str]]:
        if reference not in self._definitions:
            references: set[str] = set()
            target = self._projection.project(resolve(self._document, {"$ref": reference}))
            converted = self._converted(target, references)
            self._definitions[reference] = converted, frozenset(references)
        return self._definitions[reference]

    def _converted(self, node: Any, references: set[str]) -> Any:
        """Return the schema in JSON Schema's own keywords; note the references in it."""
        if isinstance(node, list):
            return [self._converted(part, references) for part in node]
        if not isinstance(node, Mapping):
            return node
        if isinstance(node.get("$ref"), str):  # siblings of a $ref mean nothing in OpenAPI 3.0
            references.add(node["$ref"])
            return _reference(node["$ref"])
        if self._response and (node.get("writeOnly") is True or node.get("x-writeOnly") is True):
            return {"not": {}}
        converted = {
            keyword: self._converted_keyword(keyword, value, references)
            for keyword, value in node.items()
            if keyword not in _ANNOTATIONS and (not keyword.startswith("x-") or keyword == _DESCRIBED)
        }
        if converted.get("additionalProperties") is False:
            converted.setdefault("properties", {})  # without any, the validator reports the first violation only
        return _with_null(node, converted) if _is_nullable(node) else converted

    def _converted_keyword(self, keyword: str, value: Any, references: set[str]) -> Any:
        if keyword in VALUES:
            return value
        if keyword == "properties":  # its names are the author's own, even when they look like keywords
            return {name: self._converted(schema, references) for name, schema in value.items()}
        return self._converted(value, references)


def _is_nullable(node: Mapping[str, Any]) -> bool:
    return node.get("nullable") is True or node.get("x-nullable") is True


def _with_null(node: Mapping[str, Any], converted: dict[str, Any]) -> dict[str, Any]:
    if isinstance(node.get("type"), str):
        converted["type"] = [node["type"], "null"]
    if isinstance(node.get("enum"), list):
        converted["enum"] = [*node["enum"], None]
    return converted


def _reference(reference: str) -> dict[str, str]:
    """Return a reference of the contract as one into the validator's definitions."""
    name = quote(reference.replace("~", "~0").replace("/", "~1"), safe="~")
    return {"$ref": f"#/definitions/{name}", "x-definition": reference}


def _is_valid_in(is_valid: Callable[[Any], bool], name: str, value: Any) -> bool:
    return is_valid({name: value})

"""OpenAPI 3.0 schemas, compiled once into `jsonschema_rs` validators (JSON Schema draft 4, as Connexion has it)."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import jsonschema_rs

from contract.violations import explain

Path = tuple[str, ...]
Names = frozenset[str]
_LITERAL = ("enum", "example", "default")  # keywords that hold values, not schemas
_EXCLUDING = re.compile(r"\^\[\^((?:\\u[0-9A-Fa-f]{4}|[A-Za-z0-9 ])+)\]\*\$")  # ^[^...]*$: none of these characters
FORMATS = ("date", "date-time", "email", "hostname", "idn-email", "ipv4", "ipv6", "regex", "time", "uri")


class Uncompilable(Exception):  # noqa: N818 -- says of an operation what it is, no more
    """This part of the contract is not for the compiler; the message says why."""


def resolve(document: Mapping[str, Any], node: Any) -> Any:
    """The node, or what its `$ref` leads to within the same document."""
    while isinstance(node, Mapping) and "$ref" in node:
        reference = node["$ref"]
        if not reference.startswith("#/"):
            raise Uncompilable(f"the reference {reference} leads out of the file")
        node = document
        for step in reference[2:].split("/"):
            node = node[step.replace("~1", "/").replace("~0", "~")]
    return node


class Direction:
    """What of a schema takes effect in requests, or in responses.

    A property that is required and readOnly is so in responses only; if it is writeOnly, in requests only (OpenAPI
    3.0.3, Schema Object, Fixed Fields). Schemas can hold references, or, followed already, themselves.
    """

    def __init__(self, document: Mapping[str, Any], *, response: bool) -> None:
        self._document = document
        self._marks = ("writeOnly", "x-writeOnly") if response else ("readOnly",)
        self._done: dict[tuple[int, Names], Any] = {}

    def directed(self, schema: Any, spared: Names = frozenset()) -> Any:
        """The schema without what it requires in the other direction alone; `spared` says so in a schema around it."""
        if not isinstance(schema, Mapping):
            return schema
        if "$ref" in schema:
            target = self._target(schema)
            return schema if spared <= self._marked(target) else self.directed(target, spared)
        key = id(schema), spared
        if key not in self._done:
            directed = self._done[key] = {}
            directed.update(self._keywords(schema, spared | self._marked(schema)))
        return self._done[key]

    def _keywords(self, schema: Mapping[str, Any], spared: Names) -> Iterator[tuple[str, Any]]:
        for keyword, value in schema.items():
            if keyword == "required":
                if required := [name for name in value if name not in spared]:
                    yield keyword, required
            elif keyword == "properties":
                yield keyword, {name: self.directed(member) for name, member in value.items()}
            elif keyword in ("items", "additionalProperties"):
                yield keyword, self.directed(value)
            elif keyword in ("allOf", "anyOf", "oneOf"):  # which judge the same value
                yield keyword, [self.directed(part, spared) for part in value]
            else:
                yield keyword, value

    def _marked(self, schema: Mapping[str, Any]) -> Names:
        """The properties that are not for this direction, those in an allOf among them."""
        properties = schema.get("properties", {}).items()
        marked = frozenset(name for name, member in properties if self._is_marked(member))
        return marked.union(*(self._marked(self._target(part)) for part in schema.get("allOf", ())))

    def _is_marked(self, member: Any) -> bool:
        member = self._target(member)
        return any(member.get(mark) is True for mark in self._marks) or any(
            map(self._is_marked, member.get("allOf", ()))
        )

    def _target(self, schema: Any) -> Mapping[str, Any]:
        """The schema, or what it refers to; nothing is known of other files."""
        try:
            target = resolve(self._document, schema)
        except Uncompilable:
            return {}
        return target if isinstance(target, Mapping) else {}


class Document(dict[str, Any]):
    """An OpenAPI document whose schemas are converted once, for requests and for responses."""

    @cached_property
    def request_schemas(self) -> dict[str, Any]:
        """The named schemas, for requests."""
        return self._converted(response=False)

    @cached_property
    def response_schemas(self) -> dict[str, Any]:
        """The named schemas, for responses."""
        return self._converted(response=True)

    @cached_property
    def quick_request_schemas(self) -> dict[str, Any]:
        """The same, as they are quickest to judge by."""
        return {name: _quick(schema) for name, schema in self.request_schemas.items()}

    @cached_property
    def quick_response_schemas(self) -> dict[str, Any]:
        """The same, as they are quickest to judge by."""
        return {name: _quick(schema) for name, schema in self.response_schemas.items()}

    def _converted(self, *, response: bool) -> dict[str, Any]:
        schemas = self.get("components", {}).get("schemas", {})
        directed = Direction(self, response=response).directed
        return {name: _convert(directed(schema), response=response) for name, schema in schemas.items()}


class Schema:
    """A schema, ready to judge values: `is_valid(value)` is the quick question, `violations()` the whole answer."""

    def __init__(self, schema: Mapping[str, Any], document: Document, *, response: bool = False) -> None:
        directed = Direction(document, response=response).directed(resolve(document, schema))
        converted = _convert(directed, response=response)
        schemas = document.response_schemas if response else document.request_schemas
        self._document: dict[str, Any] = {**converted, "components": {"schemas": schemas}}
        quick = document.quick_response_schemas if response else document.quick_request_schemas
        try:
            validator = _validator({**_quick(converted), "components": {"schemas": quick}})
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise Uncompilable(f"its schema cannot be compiled: {error}") from None
        self.is_valid: Callable[[Any], bool] = validator.is_valid

    @cached_property
    def _iter_errors(self) -> Callable[[Any], Iterable[Any]]:
        """All errors of a value, as the schema stands in the contract."""
        return _validator(self._document).iter_errors  # type: ignore[no-any-return]

    def violations(self, value: Any) -> Iterator[tuple[Path, str]]:
        """Every violation in `value`: the path to it and a sentence."""
        for error in self._iter_errors(value):
            schema = self._at(error.schema_path[:-1])
            for steps, detail in explain(error.kind.name, schema, error.instance):
                yield (*map(str, error.instance_path), *steps), detail

    def _at(self, path: list[str | int]) -> Mapping[str, Any]:
        """The part of the schema that a keyword stands in; a step `$ref` follows the reference."""
        node: Any = self._document
        for step in path:
            node = resolve(self._document, node) if step == "$ref" else node[step]
        return resolve(self._document, node)  # type: ignore[no-any-return]


def _validator(schema: dict[str, Any]) -> Any:
    return jsonschema_rs.Draft4Validator(schema, validate_formats=True)


def _quick(node: Any) -> Any:
    """An equivalent schema that takes less time: to look for a character is quicker than to match all the others."""
    if isinstance(node, list):
        return [_quick(part) for part in node]
    if not isinstance(node, Mapping):
        return node
    quick = {keyword: value if keyword in _LITERAL else _quick(value) for keyword, value in node.items()}
    excluded = _EXCLUDING.fullmatch(node["pattern"]) if isinstance(node.get("pattern"), str) else None
    if excluded and "not" not in node:
        del quick["pattern"]
        quick["not"] = {"type": "string", "pattern": f"[{excluded[1]}]"}
    return quick


def _convert(node: Any, *, response: bool) -> Any:
    """OpenAPI's own keywords in JSON Schema's: `nullable`; and, in a response, `writeOnly`."""
    if isinstance(node, list):
        return [_convert(part, response=response) for part in node]
    if not isinstance(node, Mapping):
        return node
    if "$ref" in node:  # siblings of a $ref mean nothing in OpenAPI 3.0
        return {"$ref": node["$ref"]}
    if response and (node.get("writeOnly") is True or node.get("x-writeOnly") is True):
        return {"not": {}}
    converted = {keyword: _convert_keyword(keyword, value, response=response) for keyword, value in node.items()}
    if node.get("nullable") is True or node.get("x-nullable") is True:
        if isinstance(node.get("type"), str):
            converted["type"] = [node["type"], "null"]
        if isinstance(node.get("enum"), list):
            converted["enum"] = [*node["enum"], None]
    return converted


def _convert_keyword(keyword: str, value: Any, *, response: bool) -> Any:
    if keyword in _LITERAL:
        return value
    if keyword == "properties":  # its names are the document's own, whatever they look like
        return {name: _convert(schema, response=response) for name, schema in value.items()}
    return _convert(value, response=response)

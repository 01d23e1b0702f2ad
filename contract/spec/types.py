"""Which JSON types a schema admits: that decides how the raw values of parameters and forms are decoded."""

from collections.abc import Mapping
from typing import Any

from contract.spec.document import Document, resolve

Types = frozenset[str]
ANY: Types = frozenset()
"""The schema says nothing about types."""
_MAX_DEPTH = 20


def merged(schema: Mapping[str, Any], document: Document) -> dict[str, Any]:
    """Return the keywords of a schema and of its `allOf`, its own first, and a `default` beside a `$ref`."""
    target = resolve(document, schema)
    keywords: dict[str, Any] = {}
    for part in target.get("allOf", []):
        keywords |= merged(part, document)
    beside = {"default": schema["default"]} if "default" in schema else {}
    return keywords | dict(target) | beside


def admitted(schema: Mapping[str, Any], document: Document, depth: int = 0) -> Types:
    """Return the JSON types that the schema admits, or `ANY`. `nullable` adds `null`."""
    if depth > _MAX_DEPTH:
        return ANY
    target = resolve(document, schema)
    null = frozenset({"null"}) if target.get("nullable") is True else ANY
    if isinstance(target.get("type"), str):
        return frozenset({target["type"]}) | null
    if target.get("allOf"):
        narrowed = [types for part in target["allOf"] if (types := admitted(part, document, depth + 1))]
        return frozenset.intersection(*narrowed) | null if narrowed else ANY
    for keyword in ("anyOf", "oneOf"):
        if target.get(keyword):
            options = [admitted(part, document, depth + 1) for part in target[keyword]]
            return frozenset.union(*options) | null if all(options) else ANY
    if isinstance(target.get("enum"), list):
        return frozenset(type_of(value) for value in target["enum"]) | null
    return ANY


def type_of(value: Any) -> str:
    """Return the JSON type of a value; `integer` for whole numbers."""
    if value is None:
        return "null"
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "object"

"""Validators of schemas: `jsonschema_rs`, and equivalent schemas that it validates faster."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import jsonschema_rs

from contract.spec.document import Uncompilable

VALUES = ("enum",)  # keywords that hold values, not schemas
_EXCLUDING = re.compile(r"\^\[\^((?:\\u[0-9A-Fa-f]{4}|[A-Za-z0-9 ])+)\]\*\$")  # ^[^...]*$: none of these characters


def compiled(schema: Mapping[str, Any]) -> Any:
    """Return the validator of a schema in its fastest form."""
    try:
        return validator(optimized(schema))
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise Uncompilable(f"a schema cannot be compiled: {error}") from None


def validator(schema: Mapping[str, Any]) -> Any:
    """Return a validator. Its patterns take linear time, unless one needs what only backtracking can do."""
    make = partial(jsonschema_rs.Draft4Validator, dict(schema), validate_formats=True)
    try:
        return make(pattern_options=jsonschema_rs.RegexOptions())
    except ValueError:
        return make()


def optimized(node: Any, *, names: bool = False) -> Any:
    """Return an equivalent schema that validates faster. With `names`, the keys of the node are names of properties."""
    if isinstance(node, list):
        return [optimized(part) for part in node]
    if not isinstance(node, Mapping):
        return node
    made = {
        key: value if key in VALUES and not names else optimized(value, names=not names and key == "properties")
        for key, value in node.items()
    }
    if not names:
        _search_excluded(made)
        _count_properties(made)
    return made


def _search_excluded(schema: dict[str, Any]) -> None:
    """Search for one excluded character: faster than to match all others."""
    pattern = schema.get("pattern")
    excluded = _EXCLUDING.fullmatch(pattern) if isinstance(pattern, str) else None
    if excluded and "not" not in schema:
        del schema["pattern"]
        schema["not"] = {"type": "string", "pattern": f"[{excluded[1]}]"}


def _count_properties(schema: dict[str, Any]) -> None:
    """Count the properties, if all that are allowed are required: faster than to look for each."""
    properties, required = schema.get("properties"), schema.get("required")
    if isinstance(properties, dict) and isinstance(required, list) and "minProperties" not in schema:
        is_closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
        if is_closed and set(required) == properties.keys():
            del schema["required"]
            schema["minProperties"] = len(properties)

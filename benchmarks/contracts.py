"""Synthetic contracts of any size, with handlers: what `benchmarks.contract` installs."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

PACKAGE = "synthetic_handlers"
TAG = "things"
PER_RESOURCE = 5
"""Operations of a resource: list, create, read, replace, delete; each works with a schema of its own."""
CLUSTER = 25
"""How many schemas refer to each other: each of them reaches all of its cluster."""
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}
_LIMIT = {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}}
_NAME = {"name": "name", "in": "query", "schema": {"type": "string", "maxLength": 80, "pattern": r"^\S.*$"}}


def document(operations: int, schemas: int) -> dict[str, Any]:
    """A contract with so many operations, a multiple of five, over so many schemas that refer to each other."""
    resources = range(operations // PER_RESOURCE)
    return {
        "openapi": "3.0.3",
        "info": {"title": f"{operations} operations over {schemas} schemas", "version": "1.0.0"},
        "paths": {path: item for number in resources for path, item in _paths(number, schemas)},
        "components": {
            "schemas": {f"S{number}": _schema(number, schemas) for number in range(schemas)} | {"Problem": _PROBLEM},
            "responses": {
                "Problem": {"description": "An error.", "content": _content({"$ref": "#/components/schemas/Problem"})}
            },
        },
    }


def add_handlers(operations: int) -> None:
    """Make the package `PACKAGE` importable, with a function for each operation."""
    module = ModuleType(f"{PACKAGE}.{TAG}")
    sources = {
        "list_{}(limit, name=None)": "[]",
        "create_{}(body)": "(body, 201)",
        "get_{}(id)": "{'id': id, 'name': 'a'}",
        "replace_{}(id, body)": "body",
        "delete_{}(id)": "(None, 204)",
    }
    for number in range(operations // PER_RESOURCE):
        for head, result in sources.items():
            exec(f"def {head.format(number)}: return {result}", vars(module))  # noqa: S102 -- the sources stand above
    sys.modules |= {PACKAGE: ModuleType(PACKAGE), module.__name__: module}


def _paths(number: int, schemas: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The two paths of a resource."""
    refs = [{"$ref": f"#/components/schemas/S{(number * PER_RESOURCE + one) % schemas}"} for one in range(PER_RESOURCE)]
    yield (
        f"/resources-{number}",
        {
            "get": _operation(f"list_{number}", "200", {"type": "array", "items": refs[0]}, [_LIMIT, _NAME]),
            "post": _operation(f"create_{number}", "201", refs[1], body=refs[1]),
        },
    )
    yield (
        f"/resources-{number}/{{id}}",
        {
            "get": _operation(f"get_{number}", "200", refs[2], [_ID]),
            "put": _operation(f"replace_{number}", "200", refs[3], [_ID], body=refs[4]),
            "delete": _operation(f"delete_{number}", "204", None, [_ID]),
        },
    )


def _operation(
    name: str, status: str, result: Any, parameters: list[dict[str, Any]] | None = None, body: Any = None
) -> dict[str, Any]:
    response = {"description": "Done."} | ({"content": _content(result)} if result else {})
    operation = {
        "operationId": name,
        "tags": [TAG],
        "responses": {status: response, "default": {"$ref": "#/components/responses/Problem"}},
        "parameters": parameters or [],
    }
    return operation | ({"requestBody": {"required": True, "content": _content(body)}} if body else {})


def _content(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _schema(number: int, schemas: int) -> dict[str, Any]:
    """An object that refers to its neighbours in its cluster, back and forth."""
    first = number - number % CLUSTER
    size = min(CLUSTER, schemas - first)
    references = {step: f"#/components/schemas/S{first + (number - first + step) % size}" for step in (1, 7)}
    return {
        "type": "object",
        "required": ["id", "name"],
        "additionalProperties": False,
        "properties": {
            "id": {"type": "integer", "minimum": 1},
            "name": {"type": "string", "minLength": 1, "maxLength": 80 + number},
            "kind": {"type": "string", "enum": [f"kind-{number}-{one}" for one in range(5)]},
            "tags": {"type": "array", "maxItems": 20, "items": {"type": "string", "pattern": "^[a-z]+$"}},
            "next": {"$ref": references[1]},
            "others": {"type": "array", "maxItems": 10, "items": {"$ref": references[7]}},
        },
    }


_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {"type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"}},
}

"""What must hold of the contract, before a resource is added and after."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from openapi_spec_validator import OpenAPIV30SpecValidator

from app.specfile import SafeLoader
from tools.scaffold.names import Names, ScaffoldError

SHARED = {
    "schemas": ("PageCursor", "Timestamp", "Problem"),
    "parameters": ("Limit", "IfMatch", "IfNoneMatch", "IfNoneMatchOnWrite"),
    "headers": ("Cache-Control", "ETag", "Link", "Location", "RateLimit", "RateLimit-Policy", "X-Request-Id"),
    "responses": ("BadRequest", "Conflict", "NotFound", "NotModified", "PageNotFound", "PreconditionFailed", "Problem"),
}
"""The components that every resource uses."""


def missing(contract: Mapping[str, Any]) -> Iterator[str]:
    """What the new resource would refer to and the contract does not have."""
    for section, shared in SHARED.items():
        for name in shared:
            if name not in contract["components"].get(section, {}):
                yield f"components.{section}.{name} is missing: every resource uses it."
    for section in ("links", "examples"):
        if not contract["components"].get(section):
            yield f"components.{section} is missing."


def present(contract: Mapping[str, Any], names: Names, components: Mapping[str, str]) -> Iterator[str]:
    """What the contract has already and the new resource would write."""
    for path in contract["paths"]:
        if path == f"/{names.plural}" or path.startswith(f"/{names.plural}/"):
            yield f"The path {path} exists already."
    if any(tag["name"] == names.plural for tag in contract["tags"]):
        yield f"The tag {names.plural} exists already."
    for section, text in components.items():
        for name in yaml.safe_load(text):
            if name in contract["components"].get(section, {}):
                yield f"components.{section}.{name} exists already."


def check(before: Mapping[str, Any], text: str, names: Names) -> None:
    """Everything that was there is still there, and the whole is valid OpenAPI."""
    try:
        after = yaml.load(text, Loader=SafeLoader)  # noqa: S506 -- it is a safe one
    except yaml.YAMLError as error:
        raise ScaffoldError([f"The contract would not be valid YAML: {error}"]) from None
    del before["components"]["schemas"][names.schema]
    if lost := list(_lost(before, after, "")):
        raise ScaffoldError([f"The contract would lose or change {place}." for place in lost])
    require_valid(after, "The contract would not be valid OpenAPI")


def require_valid(document: Mapping[str, Any], problem: str) -> None:
    """Raise `ScaffoldError`, whose sentences begin with `problem`, unless the document is valid OpenAPI."""
    absent = sorted({reference for reference in _references(document) if not _exists(document, reference)})
    found = [f"{reference} does not exist." for reference in absent]
    if found := found or [error.message for error in OpenAPIV30SpecValidator(document).iter_errors()]:
        raise ScaffoldError([f"{problem}: {message}" for message in found])


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping) and isinstance(node.get("$ref"), str):
        yield node["$ref"]
    for child in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
        yield from _references(child)


def _exists(document: Any, reference: str) -> bool:
    for step in reference.removeprefix("#/").split("/"):
        if not isinstance(document, Mapping) or step not in document:
            return False
        document = document[step]
    return True


def _lost(before: Any, after: Any, place: str) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key, value in before.items():
            yield from _lost(value, after.get(key), f"{place}.{key}".lstrip("."))
    elif isinstance(before, list) and isinstance(after, list) and place == "tags":
        yield from ([] if after[: len(before)] == before else [place])
    elif before != after:
        yield place

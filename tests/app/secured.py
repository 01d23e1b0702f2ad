"""What tests of a service with `ACCESS=secured` need: its contract, its settings, and keys."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from connexion import FlaskApp

from app import specification
from app.settings import Settings
from tests.support import SpecifiedOperation

METHODS = ("get", "put", "post", "delete", "patch")


def secured_settings(folder: Path, **others: str) -> Settings:
    """Settings with access control, and everything in this folder."""
    files = {"DATABASE_URL": f"sqlite:///{folder}/items.db", "KEYS_SECRET_FILE": f"{folder}/keys.secret"}
    return Settings.from_environ({"ACCESS": "secured", **files, **others})


def new_key(application: FlaskApp, name: str, *scopes: str) -> dict[str, str]:
    """The header with a new key of this name."""
    options = [f"--scope={scope}" for scope in scopes or ("items:read", "items:write")]
    result = application.app.test_cli_runner().invoke(args=["keys", "create", name, *options])
    assert result.exit_code == 0, result.output
    return {"X-API-Key": result.stdout.strip()}


@cache
def secured_contract() -> dict[str, Any]:
    """The contract that is enforced then."""
    return dict(specification.load(secured=True))


def resolved(node: Any) -> Any:
    """The node of the secured contract itself, or what it refers to."""
    while isinstance(node, Mapping) and "$ref" in node:
        target: Any = secured_contract()
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def secured_operations() -> Iterator[SpecifiedOperation]:
    """All operations of the secured contract, with their parameters resolved."""
    for path, item in secured_contract()["paths"].items():
        for method in METHODS:
            if method in item:
                parameters = [*item.get("parameters", ()), *item[method].get("parameters", ())]
                yield SpecifiedOperation(
                    method.upper(), path, {**item[method], "parameters": [resolved(each) for each in parameters]}
                )


def is_public(operation: SpecifiedOperation) -> bool:
    """Whether an operation needs no credential."""
    return not operation.definition.get("security", secured_contract()["security"])


def scopes(operation: SpecifiedOperation) -> set[str]:
    """The scopes that an operation needs."""
    return {*operation.definition.get("x-required-scopes", ())}


def example_body(operation: SpecifiedOperation) -> tuple[str, Any] | None:
    """The media type and the first example of its body, if it has one."""
    if "requestBody" not in operation.definition:
        return None
    content = resolved(operation.definition["requestBody"])["content"]
    media_type, part = next(iter(content.items()))
    return media_type, resolved(next(iter(part["examples"].values())))["value"]

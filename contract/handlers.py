"""operationId = function name: finds the handlers of a contract and stops the start when the two disagree."""

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

from connexion.resolver import Resolution, Resolver

from contract.parameters import argument
from contract.routes import Operation, Routes

_FROM_CONNEXION = ("context_", "user", "token_info")


class ContractError(Exception):
    """The spec and the program disagree; the message names every place."""


class TagResolver(Resolver):  # type: ignore[misc]  # Connexion has no types
    """Resolves `operationId: list_items` with the tag `items` to the function `<package>.items.list_items`."""

    def __init__(self, package: str) -> None:
        super().__init__()
        self.package = package

    def resolve(self, operation: Any) -> Any:
        """Connexion's resolution of one of its operations."""
        tag = operation._operation["tags"][0]  # noqa: SLF001 -- Connexion keeps it nowhere else
        return Resolution(getattr(_module(self.package, tag), operation.operation_id), operation.operation_id)


def check(specification: Mapping[str, Any], package: str, *, pythonic: bool = False) -> None:
    """Hold the handlers of `package` against the spec; raise a `ContractError` that names all disagreements.

    `pythonic` is Connexion's option `pythonic_params`.
    """
    found = list(_disagreements(Routes(specification, pythonic=pythonic), package))
    if found:
        lines = "\n".join(f"  - {line}" for line in found)
        raise ContractError(f"The spec and the handlers disagree:\n{lines}")


def _disagreements(routes: Routes, package: str) -> Iterator[str]:
    expected: dict[str, set[str]] = {}
    for operation in routes:
        where = f"{operation.method.upper()} {operation.path}"
        tags = operation.definition.get("tags", [])
        if len(tags) != 1 or "operationId" not in operation.definition:
            yield f"{where} needs an operationId and exactly one tag: they name its handler"
            continue
        name, module_name = operation.operation_id, f"{package}.{tags[0]}"
        expected.setdefault(tags[0], set()).add(name)
        function = getattr(_module(package, tags[0]), name, None)
        if not callable(function):
            yield f"operation {name} ({where}) has no handler: {module_name}.{name} is missing"
            continue
        for line in _signature_disagreements(operation, function):
            yield f"operation {name} ({where}) and its handler {module_name}.{name} differ: {line}"
    for tag, names in expected.items():
        for name in sorted(_public_functions(package, tag) - names):
            yield f"handler {package}.{tag}.{name} has no operation with that operationId and the tag {tag}"


def _signature_disagreements(operation: Operation, function: Callable[..., Any]) -> Iterator[str]:
    declared = {argument(p["name"], p["in"], pythonic=operation.pythonic): p for p in operation.parameters}
    always_given = {name for name, p in declared.items() if p.get("required") or "default" in p.get("schema", {})}
    if operation.request_body:
        body = operation.body_argument
        declared[body] = operation.request_body
        if operation.request_body.get("required"):
            always_given.add(body)
    taken = inspect.signature(function).parameters
    takes_all = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in taken.values())
    signature = {
        name: parameter
        for name, parameter in taken.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD and name not in _FROM_CONNEXION
    }
    for name in () if takes_all else declared.keys() - signature.keys():
        yield f"the spec has the parameter {name}, the handler has not"
    for name in signature.keys() - declared.keys():
        yield f"the handler has the parameter {name}, the spec has not"
    for name in declared.keys() & signature.keys():
        if name not in always_given and signature[name].default is inspect.Parameter.empty:
            yield f"{name} is optional in the spec and has no default in the handler"


def _module(package: str, tag: str) -> ModuleType | None:
    """The module of a tag; None if there is none. What goes wrong inside of it is not hidden."""
    name = f"{package}.{tag}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            return None
        raise


def _public_functions(package: str, tag: str) -> set[str]:
    module = _module(package, tag)
    if module is None:
        return set()
    return {
        name
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }

"""Resolves operations to handlers: operationId = function name, tag = module. Checks that both agree."""

import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

from contract.connexion_internals import HANDLER_EXTRAS
from contract.spec.document import Document, Uncompilable
from contract.spec.operations import Operation
from contract.spec.types import merged

Handler = Callable[..., Any]


def resolve_handlers(
    operations: Iterable[Operation], document: Document, package: str
) -> tuple[dict[str, Handler], list[str]]:
    """Return the handlers by operationId, and a line for everything in which contract and handlers disagree."""
    handlers: dict[str, Handler] = {}
    faults: list[str] = []
    expected: dict[str, set[str]] = {}
    for operation in operations:
        tags = operation.definition.get("tags", [])
        if len(tags) != 1 or "operationId" not in operation.definition:
            where = f"{operation.method.upper()} {operation.path}"
            faults.append(f"{where} needs an operationId and exactly one tag: they name its handler")
            continue
        name, module_name = operation.operation_id, f"{package}.{tags[0]}"
        expected.setdefault(tags[0], set()).add(name)
        function = getattr(_module(package, tags[0]), name, None)
        if not callable(function):
            faults.append(f"operation {operation} has no handler: {module_name}.{name} is missing")
            continue
        if name in handlers:
            faults.append(f"operation {operation} has an operationId that another operation has already")
        handlers[name] = function
        differences = _differences(operation, document, function) if operation.fault is None else ()
        faults += [f"operation {operation} and its handler {module_name}.{name} differ: {line}" for line in differences]
    for tag, names in expected.items():
        for name in sorted(_public_functions(package, tag) - names):
            faults.append(f"handler {package}.{tag}.{name} has no operation with that operationId and the tag {tag}")
    return handlers, faults


def _differences(operation: Operation, document: Document, function: Handler) -> Iterator[str]:
    declared = {operation.argument(parameter): parameter for parameter in operation.parameters}
    given = {name for name, p in declared.items() if p.get("required") or "default" in _keywords(p, document)}
    if operation.request_body:
        declared[operation.body_argument] = operation.request_body
        if operation.request_body.get("required"):
            given.add(operation.body_argument)
    signature = inspect.signature(function).parameters
    takes_all = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in signature.values())
    extras = {*HANDLER_EXTRAS, *_form_properties(operation, document)}
    taken = {
        name: parameter
        for name, parameter in signature.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD and name not in extras
    }
    for name in () if takes_all else sorted(declared.keys() - signature.keys()):
        yield f"the contract has the parameter {name}, the handler does not"
    for name in sorted(taken.keys() - declared.keys()):
        yield f"the handler has the parameter {name}, the contract does not"
    for name in sorted(declared.keys() & taken.keys()):
        if name not in given and taken[name].default is inspect.Parameter.empty:
            yield f"{name} is optional in the contract and has no default in the handler"


def _keywords(part: Mapping[str, Any], document: Document) -> Mapping[str, Any]:
    """Return the keywords of a parameter's or a media type's schema; none if it cannot be read: compiling says so."""
    content: Mapping[str, Any] = next(iter(part.get("content", {}).values()), {})
    try:
        return merged(part.get("schema") or content.get("schema", {}), document)
    except Uncompilable:
        return {}


def _form_properties(operation: Operation, document: Document) -> set[str]:
    """Return the properties of a form in parts: files among them are arguments of their own."""
    content = (operation.request_body or {}).get("content", {}).get("multipart/form-data", {})
    return set(_keywords(content, document).get("properties", {}))


def _module(package: str, tag: str) -> ModuleType | None:
    """Return the module of a tag, None if there is none. An import that fails inside of it is not hidden."""
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

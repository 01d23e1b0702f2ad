"""Resolves operations to handlers: operationId = function name, tag = module. Checks that both agree."""

import difflib
import importlib
import inspect
import linecache
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from contract.connexion_internals import HANDLER_EXTRAS
from contract.diagnostics import Fault, Place, of_exception, suggestion
from contract.spec.document import Document, Uncompilable
from contract.spec.operations import Operation
from contract.spec.types import merged

Handler = Callable[..., Any]


def resolve_handlers(
    operations: Iterable[Operation], document: Document, package: str, capabilities: Iterable[str] = ()
) -> tuple[dict[str, Handler], list[Fault]]:
    """Return the handlers by operationId, and everything in which contract and handlers disagree.

    `capabilities` are the names of headers that handlers do not take, because code of their own reads them.
    """
    resolver = _Resolver(document, package, frozenset(name.lower() for name in capabilities))
    by_tag: dict[str, list[Operation]] = {}
    for operation in operations:
        tags = operation.definition.get("tags", [])
        if len(tags) == 1 and "operationId" in operation.definition:
            by_tag.setdefault(tags[0], []).append(operation)
        else:
            message = f"{operation.method.upper()} {operation.path} needs an operationId and exactly one tag"
            fault = Fault(message, "they name the function and the module of its handler", operation.at, key=True)
            resolver.faults.append(fault)
    for tag, those in by_tag.items():
        resolver.resolve(tag, those)
    return resolver.handlers, resolver.faults


class _Resolver:
    """The handlers of a package, and what is wrong with them."""

    def __init__(self, document: Document, package: str, capabilities: frozenset[str]) -> None:
        self._document = document
        self._package = package
        self._capabilities = capabilities
        self.handlers: dict[str, Handler] = {}
        self.faults: list[Fault] = []

    def resolve(self, tag: str, operations: list[Operation]) -> None:
        """Find the handlers of the operations with one tag in its module."""
        name = f"{self._package}.{tag}"
        try:
            module = _module(name)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the start says where it was raised
            self.faults.append(_unloadable(name, error))
            return
        functions = _public_functions(module) if module else {}
        surplus = functions.keys() - {operation.operation_id for operation in operations}
        for operation in operations:
            function = getattr(module, operation.operation_id, None)
            if callable(function):
                self.handlers[operation.operation_id] = function
                if operation.fault is None:
                    self.faults += _differences(operation, self._declared(operation), function, name, self._document)
            else:
                declared = self._declared(operation)
                self.faults.append(_missing(operation, declared, name, surplus, is_module=module is not None))
        for surplus_name in sorted(surplus):
            message = f"{name}.{surplus_name} is no handler: no operation with the tag {tag} has this operationId"
            place = _place(functions[surplus_name])
            self.faults.append(Fault(message, "begin the name of a helper with `_`", place=place))

    def _declared(self, operation: Operation) -> dict[str, bool]:
        """Return the arguments of an operation's handler, and for each whether every call gives it."""
        declared = {
            operation.argument(parameter): bool(parameter.get("required"))
            or "default" in _keywords(parameter, self._document)
            for parameter in operation.parameters
            if parameter["in"] != "header" or parameter["name"].lower() not in self._capabilities
        }
        if operation.request_body:
            declared[operation.body_argument] = bool(operation.request_body.get("required"))
        return declared


def _missing(
    operation: Operation, declared: Mapping[str, bool], module: str, surplus: Iterable[str], *, is_module: bool
) -> Fault:
    """Return the fault of an operation without a handler, with the function to write."""
    file = f"{module.replace('.', '/')}.py"
    arguments = ", ".join(_argument(name, is_given=given) for name, given in declared.items())
    write = f"write `def {operation.operation_id}({arguments})` in {file}{'' if is_module else ', a new file'}"
    help_ = suggestion(operation.operation_id, surplus) or write
    message = f"{operation} has no handler: {module}.{operation.operation_id} is missing"
    return Fault(message, help_, (*operation.at, "operationId"))


def _argument(name: str, *, is_given: bool) -> str:
    return name if is_given else f"{name}=None"


def _differences(
    operation: Operation, declared: Mapping[str, bool], function: Handler, module: str, document: Document
) -> Iterator[Fault]:
    signature = inspect.signature(function).parameters
    takes_all = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in signature.values())
    extras = {*HANDLER_EXTRAS, *_form_properties(operation, document)}
    taken = {
        name: parameter
        for name, parameter in signature.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD and name not in extras
    }
    handler = f"{module}.{operation.operation_id}"
    where = f"{operation.method.upper()} {operation.path}"
    place, contract = _place(function), "the operation is at {see}"

    def fault(message: str, help_: str) -> Fault:
        return Fault(
            message, f"{help_}; {contract}" if place else help_, operation.at, key=True, see=operation.at, place=place
        )

    missing = set() if takes_all else declared.keys() - signature.keys()
    for name in sorted(taken.keys() - declared.keys()):
        close = next(iter(difflib.get_close_matches(name, sorted(missing), n=1)), None)
        missing = missing - {close}
        help_ = f"write `{close}`" if close else f"the contract has: {', '.join(declared) or 'none'}"
        yield fault(f"{handler} has the parameter {name}, which {where} does not have", help_)
    for name in sorted(missing):
        help_ = f"add `{_argument(name, is_given=declared[name])}`"
        yield fault(f"{handler} has no parameter {name}, which {where} has", help_)
    for name in sorted(declared.keys() & taken.keys()):
        if not declared[name] and taken[name].default is inspect.Parameter.empty:
            message = f"{handler} has no default for {name}, which is optional in {where}"
            yield fault(message, f"write `{name}=None`")


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


def _module(name: str) -> ModuleType | None:
    """Return the module of a tag, None if there is none. An import that fails inside of it is not hidden."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            return None
        raise


def _unloadable(name: str, error: Exception) -> Fault:
    """Return the fault of a module that cannot be imported, at the last line of the project that took part."""
    root = next((Path(entry).resolve() for entry in sys.path if Path(entry, name.partition(".")[0]).is_dir()), Path())
    fault = of_exception(error, root)
    return fault if fault.place else Fault(f"{name} cannot be imported: {fault.message}")


def _public_functions(module: ModuleType) -> dict[str, Handler]:
    return {
        name: function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def _place(function: Handler) -> Place | None:
    """Return the place of a function's name in its file, if it has one."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return None
    lines = linecache.getlines(code.co_filename)
    for number, line in enumerate(lines[code.co_firstlineno - 1 :], code.co_firstlineno):  # decorators come first
        if found := re.match(rf"\s*(?:async\s+)?def\s+({re.escape(code.co_name)})\b", line):
            return Place(Path(code.co_filename), number, found.start(1) + 1, line.rstrip("\n"), len(code.co_name))
    return None

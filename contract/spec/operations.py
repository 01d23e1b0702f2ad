"""The paths and operations of a contract, with every reference but those to schemas resolved."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from contract.connexion_internals import argument_name
from contract.diagnostics import ContractError, Steps
from contract.spec.document import METHODS, TEMPLATE_PARAMETER, Document, Uncompilable, resolve

DEFAULT_BODY_LIMIT = 1 << 20
"""The most bytes of a request body, unless the contract says otherwise in `x-body-limit`."""


@dataclass(frozen=True)
class Operation:
    """One operation of the contract. `method` is in lower case; `definition` is the Operation Object.

    `fault` says what is wrong with its references; then it has no parameters, body or responses.
    """

    method: str
    path: str
    definition: Mapping[str, Any]
    parameters: tuple[Mapping[str, Any], ...]
    pythonic: bool = False
    fault: str | None = None

    def __str__(self) -> str:
        return f"{self.definition.get('operationId', 'an operation')} ({self.method.upper()} {self.path})"

    @property
    def at(self) -> Steps:
        """The steps to the operation in the document."""
        return "paths", self.path, self.method

    @property
    def is_safe(self) -> bool:
        """Whether its method is safe (RFC 9110 §9.2.1)."""
        return self.method in ("get", "head", "options", "trace")

    @property
    def operation_id(self) -> str:
        """The operationId, which is the name of the handler."""
        return str(self.definition["operationId"])

    @property
    def request_body(self) -> Mapping[str, Any] | None:
        """The Request Body Object, if there is one."""
        body: Mapping[str, Any] | None = self.definition.get("requestBody")
        return body

    @cached_property
    def body_argument(self) -> str:
        """The name of the handler's argument for the request body."""
        name = str((self.request_body or {}).get("x-body-name", "body"))
        return argument_name(name, "body", pythonic=self.pythonic)

    def argument(self, parameter: Mapping[str, Any]) -> str:
        """The name of the handler's argument for a parameter."""
        return argument_name(parameter["name"], parameter["in"], pythonic=self.pythonic)

    @cached_property
    def request_media_types(self) -> tuple[str, ...]:
        """The media types of the request body."""
        return tuple((self.request_body or {}).get("content", {}))

    @cached_property
    def response_media_types(self) -> tuple[str, ...]:
        """The media types of successful responses; empty if none of them has a body."""
        responses = self.definition["responses"].items()
        names = (name for status, response in responses if status[0] == "2" for name in response.get("content", {}))
        return tuple(dict.fromkeys(names))

    @property
    def uses_connexion(self) -> bool:
        """Whether the contract leaves the operation to Connexion. Raise `Uncompilable` for an unknown pipeline."""
        pipeline = self.definition.get("x-pipeline")
        if pipeline not in (None, "connexion"):
            raise Uncompilable(f"x-pipeline is {pipeline!r}; the only value is 'connexion'")
        return pipeline is not None


@dataclass(frozen=True)
class Route:
    """One path of the contract with its operations, by method in upper case."""

    path: str
    operations: Mapping[str, Operation]

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """The allowed methods: those of the contract, `OPTIONS`, and `HEAD` where there is `GET`; sorted."""
        implied = {"OPTIONS"} | ({"HEAD"} if "GET" in self.operations else set())
        return tuple(sorted(implied | set(self.operations)))

    @cached_property
    def pattern(self) -> str:
        """A regular expression for the path. A template parameter matches characters of one segment, at least one."""
        literals = TEMPLATE_PARAMETER.split(self.path)[::2]
        return "([^/]+)".join(re.escape(literal) for literal in literals)

    @cached_property
    def path_parameters(self) -> tuple[str, ...]:
        """The names of the template parameters, in their order."""
        return tuple(TEMPLATE_PARAMETER.findall(self.path))

    @cached_property
    def precedence(self) -> tuple[bool, int]:
        """The sort key of routing: paths without parameters first (OpenAPI 3.0.3, Paths Object), then the template
        with more characters of its own.
        """
        return bool(self.path_parameters), -len(TEMPLATE_PARAMETER.sub("", self.path))


def routes(document: Document, base_path: str = "", *, pythonic: bool = False) -> list[Route]:
    """Return the routes of a contract in the order in which requests try them."""
    found = [
        Route(base_path + path, {op.method.upper(): op for op in operations(document, path, pythonic=pythonic)})
        for path in document.get("paths", {})
        if path.startswith("/")
    ]
    return sorted(found, key=lambda route: route.precedence)


def all_operations(document: Document) -> list[Operation]:
    """Return all operations of a contract."""
    return [operation for route in routes(document) for operation in route.operations.values()]


def base_path(document: Document) -> str:
    """Return the path of the first server's URL, which all operations are below."""
    server: Mapping[str, Any] = next(iter(document.get("servers", ())), {"url": ""})
    variables = {name: variable.get("default", "") for name, variable in server.get("variables", {}).items()}
    return str(urlsplit(server["url"].format(**variables)).path.rstrip("/"))


def operations(document: Document, path: str, *, pythonic: bool = False) -> Iterator[Operation]:
    """Yield the operations of one path."""
    try:
        item = resolve(document, document["paths"][path])
    except Uncompilable as reason:
        raise ContractError(f"The path {path} cannot be read: {reason}") from None
    for method in METHODS:
        if method in item:
            try:
                yield _operation(document, path, item, method, pythonic=pythonic)
            except Uncompilable as reason:
                names = {key: item[method][key] for key in ("operationId", "tags") if key in item[method]}
                yield Operation(method, path, names | {"responses": {}}, (), pythonic, str(reason))


def _operation(document: Document, path: str, item: Mapping[str, Any], method: str, *, pythonic: bool) -> Operation:
    """Return one operation. Its parameter replaces the path's of the same name and location."""
    shared, own = (_parameters(document, part) for part in (item, item[method]))
    definition = dict(item[method])
    if "requestBody" in definition:
        definition["requestBody"] = resolve(document, definition["requestBody"])
    responses = definition.get("responses", {})
    definition["responses"] = {str(status): _response(document, part) for status, part in responses.items()}
    return Operation(method, path, definition, tuple((shared | own).values()), pythonic)


def _parameters(document: Document, part: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    found = [resolve(document, parameter) for parameter in part.get("parameters", [])]
    return {(parameter["name"], parameter["in"]): parameter for parameter in found}


def _response(document: Document, response: Mapping[str, Any]) -> dict[str, Any]:
    resolved = dict(resolve(document, response))
    resolved["headers"] = {name: resolve(document, header) for name, header in resolved.get("headers", {}).items()}
    return resolved

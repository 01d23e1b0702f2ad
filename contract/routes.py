"""Which operations the contract has at which path: routing, `Allow`, and what each operation takes and sends."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from starlette.types import Scope

from contract.parameters import argument
from contract.schemas import resolve

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_TEMPLATE_PARAMETER = re.compile(r"\{([^}]+)\}")


@dataclass(frozen=True)
class Operation:
    """One operation as the (dereferenced) spec describes it."""

    method: str
    path: str
    definition: Mapping[str, Any]
    parameters: tuple[Mapping[str, Any], ...]
    pythonic: bool = False

    @property
    def operation_id(self) -> str:
        """The operationId, which is the handler's name."""
        return str(self.definition["operationId"])

    @property
    def request_body(self) -> Mapping[str, Any] | None:
        """The requestBody, if the operation takes one."""
        body: Mapping[str, Any] | None = self.definition.get("requestBody")
        return body

    @cached_property
    def body_argument(self) -> str:
        """The handler's argument for the body."""
        return argument(str((self.request_body or {}).get("x-body-name", "body")), "body", pythonic=self.pythonic)

    @cached_property
    def consumes(self) -> tuple[str, ...]:
        """The media types that can be sent in the request."""
        return tuple((self.request_body or {}).get("content", {}))

    @cached_property
    def produces(self) -> tuple[str, ...]:
        """The media types that a success can have; empty when it has no body."""
        return tuple(
            dict.fromkeys(
                media_type
                for status, response in self.definition["responses"].items()
                if str(status).startswith("2")
                for media_type in response.get("content", {})
            )
        )


@dataclass(frozen=True)
class Route:
    """One path of the contract and its operations, by method in upper case."""

    path: str
    operations: Mapping[str, Operation]

    @cached_property
    def allow(self) -> str:
        """The value of `Allow` (RFC 9110 §10.2.1): what the spec has, `OPTIONS`, and `HEAD` where there is `GET`."""
        implied = {"OPTIONS"} | ({"HEAD"} if "GET" in self.operations else set())
        return ", ".join(sorted(implied | set(self.operations)))

    @cached_property
    def pattern(self) -> str:
        """A regular expression for the path; a template parameter stands for one non-empty segment or part of it."""
        literals = _TEMPLATE_PARAMETER.split(self.path)[::2]
        return "([^/]+)".join(re.escape(literal) for literal in literals)

    @cached_property
    def path_parameters(self) -> tuple[str, ...]:
        """The names of the template parameters, in their order."""
        return tuple(_TEMPLATE_PARAMETER.findall(self.path))


class Routes:
    """All paths of one contract below `base_path`. Paths without parameters win over templates (OpenAPI 3.0.3).

    `pythonic` is Connexion's option `pythonic_params`.
    """

    def __init__(self, specification: Mapping[str, Any], base_path: str = "", *, pythonic: bool = False) -> None:
        self.all = tuple(
            Route(
                base_path + path, {op.method.upper(): op for op in operations(specification, path, pythonic=pythonic)}
            )
            for path in specification["paths"]
        )
        # Of two templates that match a path, the one with more text of its own is meant.
        self.by_precedence = sorted(self.all, key=lambda route: -len(_TEMPLATE_PARAMETER.sub("", route.path)))
        self._fixed = {route.path: route for route in self.all if not route.path_parameters}
        self._templates = [(re.compile(route.pattern), route) for route in self.by_precedence if route.path_parameters]

    def match(self, path: str) -> tuple[Route, tuple[str, ...]] | None:
        """The route of a (decoded) path and the texts of its parameters, or None."""
        if route := self._fixed.get(path):
            return route, ()
        for pattern, route in self._templates:
            if match := pattern.fullmatch(path):
                return route, match.groups()
        return None

    def __iter__(self) -> Iterator[Operation]:
        for route in self.all:
            yield from route.operations.values()


def route_path(scope: Scope) -> str:
    """The (decoded) path of a request, without the `root_path` that the service is mounted at (ASGI)."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root) else path


def operations(specification: Mapping[str, Any], path: str, *, pythonic: bool = False) -> Iterator[Operation]:
    """The operations of one path; an operation's parameter replaces the path's of the same name and place.

    References to parameters, request bodies, responses and headers are followed; those to schemas stay.
    """
    item = specification["paths"][path]
    for method in METHODS:
        if method in item:
            shared, own = (_parameters(specification, part) for part in (item, item[method]))
            definition = dict(item[method])
            if "requestBody" in definition:
                definition["requestBody"] = resolve(specification, definition["requestBody"])
            definition["responses"] = {
                str(status): _response(specification, response) for status, response in definition["responses"].items()
            }
            yield Operation(method, path, definition, tuple((shared | own).values()), pythonic)


def _parameters(specification: Mapping[str, Any], part: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    found = [resolve(specification, parameter) for parameter in part.get("parameters", [])]
    return {(parameter["name"], parameter["in"]): parameter for parameter in found}


def _response(specification: Mapping[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    resolved = dict(resolve(specification, response))
    headers = resolved.get("headers", {})
    resolved["headers"] = {name: resolve(specification, header) for name, header in headers.items()}
    return resolved

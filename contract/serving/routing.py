"""Routing: which operation, or what else, serves a request. There is one order of precedence for all operations."""

import re
from collections.abc import Iterable, Mapping

from starlette.types import Scope

from contract.problems import Problem
from contract.requests.raw import are_too_long
from contract.responses.response import Response
from contract.serving.exceptions import method_not_allowed
from contract.serving.paths import has_encoded_slash, request_path, restored, split_path
from contract.serving.request import Request, Target
from contract.spec.operations import Route


class Options(Target):
    """`OPTIONS`, where the contract does not describe it: the allowed methods (RFC 9110 §9.3.7)."""

    def __init__(self, route: Route) -> None:
        self._headers = [(b"allow", ", ".join(route.methods).encode())]
        if "PATCH" in route.operations:
            patches = ", ".join(route.operations["PATCH"].request_media_types)
            self._headers.append((b"accept-patch", patches.encode()))  # RFC 5789 §3.1

        self.respond = self._respond

    async def _respond(self, _request: Request) -> Response:
        return Response(204, list(self._headers), b"")


class MethodNotAllowed(Target):
    """Every method that a path does not have."""

    def __init__(self, route: Route) -> None:
        self._allowed = ", ".join(route.methods)

        self.respond = self._respond

    async def _respond(self, request: Request) -> Response:
        raise method_not_allowed(request.scope["method"], self._allowed)


class HeadersTooLong(Target):
    """Every request with more than 32 KiB of headers."""

    def __init__(self) -> None:
        self.respond = self._respond

    async def _respond(self, _request: Request) -> Response:
        raise Problem(431, "The headers are larger than this service accepts. Send fewer or shorter headers.")


class PathTargets:
    """The targets of one path, by method."""

    __slots__ = ("_by_method", "_other")

    def __init__(self, route: Route, targets: Mapping[str, Target]) -> None:
        self._by_method: dict[str, Target] = {"OPTIONS": Options(route), **targets}
        if "GET" in targets:
            self._by_method.setdefault("HEAD", targets["GET"])
        self._other = MethodNotAllowed(route)

    def find(self, method: str) -> Target:
        """Return the target of a method; methods are case-sensitive (RFC 9110 §9.1)."""
        return self._by_method.get(method) or self._other


class Router:
    """Finds the target of a request among the routes, which come in their order of precedence."""

    def __init__(self, routes: Iterable[tuple[Route, Mapping[str, Target]]]) -> None:
        self._fixed: dict[str, PathTargets] = {}
        self._templates = []
        self._headers_too_long = HeadersTooLong()
        for route, targets in routes:
            if route.path_parameters:
                self._templates.append((re.compile(route.pattern).fullmatch, PathTargets(route, targets)))
            else:
                self._fixed[route.path] = PathTargets(route, targets)

    def match(self, scope: Scope) -> tuple[Target, tuple[str, ...]] | None:
        """Return the target and the raw values of the path's parameters; None if the contract has no such path."""
        if are_too_long(scope["headers"]):
            return self._headers_too_long, ()
        if has_encoded_slash(scope):
            return self._match_segments(scope)
        path = request_path(scope)
        targets = self._fixed.get(path)
        if targets is not None:
            return targets.find(scope["method"]), ()
        for fullmatch, targets in self._templates:
            if match := fullmatch(path):
                return targets.find(scope["method"]), match.groups()
        return None

    def _match_segments(self, scope: Scope) -> tuple[Target, tuple[str, ...]] | None:
        """Match a path with encoded slashes: only a parameter can have one, because no template has."""
        path = split_path(scope)
        for fullmatch, targets in self._templates:
            if match := fullmatch(path):
                return targets.find(scope["method"]), tuple(map(restored, match.groups()))
        return None

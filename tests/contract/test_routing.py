"""Routing: which operations a path has, and what each takes and sends."""

import asyncio
from typing import Any
from urllib.parse import unquote

import pytest

from contract.responses.response import Response
from contract.serving.paths import request_path
from contract.serving.request import Request, Target
from contract.serving.routing import Router
from contract.spec.operations import Route, operations, routes
from tests.support import ALLOW, PATHS, ContractClient, specification
from tests.support import operations as specified

JSON_OK = {"200": {"description": "x", "content": {"application/json": {}}}}


def _paths(*paths: str) -> dict[str, Any]:
    return {"paths": {path: {"get": {"operationId": "f", "responses": {}}} for path in paths}}


class _Named(Target):
    def __init__(self, route: Route) -> None:
        self.path = route.path


def _match(document: dict[str, Any], path: str, base_path: str = "") -> tuple[str, tuple[str, ...]] | None:
    """The path of the contract that serves a request's path, and the raw values of its parameters."""
    router = Router((route, {"GET": _Named(route)}) for route in routes(document, base_path))
    match = router.match({"path": path, "method": "GET", "headers": []})
    if match is None:
        return None
    target, values = match
    assert isinstance(target, _Named)
    return target.path, values


@pytest.mark.parametrize(
    ("path", "template", "texts"),
    [
        ("/items", "/items", ()),
        ("/items/1", "/items/{id}", ("1",)),
        ("/items/-", "/items/{id}", ("-",)),
        ("/items/a b", "/items/{id}", ("a b",)),
        ("/items/1\n", "/items/{id}", ("1\n",)),
        ("/items/new", "/items/new", ()),
        ("/items/new/parts/2", "/items/{id}/parts/{part}", ("new", "2")),
        ("/items/1.json", "/items/{id}", ("1.json",)),
        ("/v1.0/x-y", "/v1.0/{a}-{b}", ("x", "y")),
    ],
)
def test_a_path_has_one_route(path: str, template: str, texts: tuple[str, ...]) -> None:
    """Paths without parameters win (OpenAPI 3.0.3, Paths Object), whichever comes first."""
    declared = ("/items/{id}", "/items", "/items/{id}/parts/{part}", "/items/new", "/v1.0/{a}-{b}")
    for order in (declared, declared[::-1]):
        assert _match(_paths(*order), path) == (template, texts)


@pytest.mark.parametrize(
    "path",
    ["", "/", "/items/", "/Items", "/items/1/", "/items//", "//items", "/items\n", "/v1x0/a-b", "/items/1/parts/"],
)
def test_other_paths_have_none(path: str) -> None:
    """Case, slashes and dots count; a parameter is never empty and never has a slash."""
    declared = ("/items", "/items/{id}", "/items/{id}/parts/{part}", "/v1.0/{a}-{b}")
    assert _match(_paths(*declared), path) is None


def test_routes_are_below_the_base_path() -> None:
    """And nowhere else."""
    assert _match(_paths("/items"), "/items", "/api") is None
    assert _match(_paths("/items"), "/api/items", "/api") == ("/api/items", ())


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/items", "", "/items"),
        ("/shop/items", "/shop", "/items"),
        ("/shop", "/shop", ""),
        ("/shopping", "/shop", "/shopping"),
        ("/items", "/shop", "/items"),
    ],
)
def test_the_path_of_a_request_is_below_the_root_path(path: str, root: str, expected: str) -> None:
    """Whole segments count: /shopping is not below /shop."""
    assert request_path({"path": path, "root_path": root}) == expected


@pytest.mark.parametrize(
    ("raw_path", "root", "template", "texts"),
    [
        (b"/items/a%2Fb", "", "/items/{id}", ("a/b",)),
        (b"/items/%31%2f", "", "/items/{id}", ("1/",)),
        (b"/items/a%252Fb%2F", "", "/items/{id}", ("a%2Fb/",)),
        (b"/items/%2F/parts/%ff", "", "/items/{id}/parts/{part}", ("/", "\udcff")),
        (b"/shop/items/%2F", "/shop", "/items/{id}", ("/",)),
        (b"/items/%2F?x=1", "", "/items/{id}", ("/",)),
        (b"/items%2F1", "", None, ()),
        (b"/items%2fnew", "", None, ()),
        (b"%2Fitems/1", "", None, ()),
        (b"/shop%2Fitems/%2F", "/shop", None, ()),
    ],
)
def test_an_encoded_slash_separates_nothing(
    raw_path: bytes, root: str, template: str | None, texts: tuple[str, ...]
) -> None:
    """RFC 3986 §2.4: segments are split before they are decoded, so it is part of a parameter."""
    declared = _paths("/items", "/items/new", "/items/{id}", "/items/{id}/parts/{part}")
    router = Router((route, {"GET": _Named(route)}) for route in routes(declared))
    path = unquote(raw_path.partition(b"?")[0].decode())
    match = router.match({"path": path, "raw_path": raw_path, "root_path": root, "method": "GET", "headers": []})
    assert (template, texts) == (None, ()) if match is None else (match[0].path, match[1]) == (template, texts)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "status"), [("/items/%31", 200), ("/items%2F1", 404), ("/items%2f1", 404), ("/ui%2Findex.html", 404)]
)
def test_encoded_slashes_of_requests(client: ContractClient, path: str, status: int) -> None:
    """Operations and pages alike."""
    client.create()
    assert client.get(path).status_code == status


@pytest.mark.parametrize("path", PATHS)
def test_allow_is_exact(path: str) -> None:
    """What the spec has, OPTIONS, and HEAD where there is GET; sorted."""
    (route,) = (route for route in routes(specification()) if route.path == path)
    assert ", ".join(route.methods) == ALLOW[path]


@pytest.mark.parametrize(
    ("methods", "allow"),
    [
        (["post"], "OPTIONS, POST"),
        (["get"], "GET, HEAD, OPTIONS"),
        (["get", "head", "options"], "GET, HEAD, OPTIONS"),
        (["trace", "delete"], "DELETE, OPTIONS, TRACE"),
        ([], "OPTIONS"),
    ],
)
def test_allow_follows_the_spec(methods: list[str], allow: str) -> None:
    """RFC 9110 §10.2.1."""
    path = {method: {"operationId": method, "responses": {}} for method in methods}
    (route,) = routes({"paths": {"/x": path | {"parameters": [], "summary": "x"}}})
    assert ", ".join(route.methods) == allow


def test_an_operation_takes_its_bodys_media_types_and_sends_those_of_its_successes() -> None:
    """Problems are not asked for; they come as they are."""
    definition = {
        "operationId": "f",
        "requestBody": {"content": {"application/json": {}, "text/csv": {}}},
        "responses": JSON_OK
        | {
            "201": {"description": "x", "content": {"text/csv": {}, "application/json": {}}},
            "400": {"description": "x", "content": {"application/problem+json": {}}},
        },
    }
    (operation,) = operations({"paths": {"/x": {"post": definition}}}, "/x")
    assert (operation.method, operation.path, operation.operation_id) == ("post", "/x", "f")
    assert operation.request_media_types == ("application/json", "text/csv")
    assert operation.response_media_types == ("application/json", "text/csv")


def test_an_operation_without_bodies_takes_and_sends_none() -> None:
    """A 204."""
    (operation,) = operations({"paths": {"/x": {"delete": {"responses": {"204": {"description": "x"}}}}}}, "/x")
    assert (operation.request_body, operation.request_media_types, operation.response_media_types) == (None, (), ())


def test_an_operations_parameter_replaces_the_paths() -> None:
    """Of the same name and place only (OpenAPI 3.0.3, Operation Object)."""
    shared = [{"name": "a", "in": "query", "n": 1}, {"name": "b", "in": "query", "n": 2}]
    own = [{"name": "a", "in": "query", "n": 3}, {"name": "b", "in": "header", "n": 4}]
    path = {"parameters": shared, "get": {"parameters": own, "responses": {}}, "put": {"responses": {}}}
    get, put = operations({"paths": {"/x": path}}, "/x")
    assert sorted(parameter["n"] for parameter in get.parameters) == [2, 3, 4]
    assert sorted(parameter["n"] for parameter in put.parameters) == [1, 2]


def test_all_operations_can_be_walked() -> None:
    """In the order of the contract's paths."""
    found = [op.operation_id for path in specification()["paths"] for op in operations(specification(), path)]
    assert found[:2] == ["list_items", "create_item"]
    assert found == list(map(str, specified()))


def test_the_headers_of_options_are_as_asgi_has_them() -> None:
    """Bytes in lower case, a new list each time, and no body."""
    patch = {"operationId": "f", "requestBody": {"content": {"text/x": {}, "text/y": {}}}, "responses": {}}
    (route,) = routes({"paths": {"/x": {"patch": patch}}})
    match = Router([(route, {})]).match({"path": "/x", "method": "OPTIONS", "headers": []})
    assert match is not None
    for _ in range(2):
        response = asyncio.run(_response(match[0]))
        assert (response.status, response.body) == (204, b"")
        assert response.headers == [(b"allow", b"OPTIONS, PATCH"), (b"accept-patch", b"text/x, text/y")]
        response.headers.append((b"x-request-id", b"r"))


async def _response(target: Target) -> Response:
    return await target.respond(Request({}, _nothing, {}, ()))


async def _nothing() -> Any:
    return {"type": "http.disconnect"}

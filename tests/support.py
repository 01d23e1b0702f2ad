"""What many tests need: requests as they are on the wire, whole responses, and the contract as data.

Every response that `ContractClient` gets from a path of the contract is validated, whichever test it is for.
"""

import json
import re
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast
from unittest.mock import ANY

import httpx
import jsonschema_rs
import yaml
from connexion import FlaskApp
from jsonschema import Draft4Validator
from starlette.testclient import TestClient

from app import SPECIFICATION
from app.problem_pages import problem_types

Message = MutableMapping[str, Any]
Headers = Sequence[tuple[str, bytes]]
JSON = "application/json"
PROBLEM = "application/problem+json"
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
MADE_REQUEST_ID = re.compile(r"[0-9a-f]{32}")
UNFORESEEN = "Something went wrong on our side. Quote the request id when you report it."
TITLES = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    507: "Insufficient Storage",
}


@cache
def specification() -> dict[str, Any]:
    """The spec as it is in its file, references intact."""
    return cast("dict[str, Any]", yaml.safe_load(SPECIFICATION.read_bytes()))


def resolve(node: Any) -> Any:
    """The node itself, or what it refers to."""
    while isinstance(node, dict) and "$ref" in node:
        target = specification()
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def dereferenced(node: Any) -> Any:
    """The node with what it refers to in the place of every reference."""
    node = resolve(node)
    if isinstance(node, list):
        return [dereferenced(part) for part in node]
    if isinstance(node, dict):
        return {key: dereferenced(value) for key, value in node.items()}
    return node


@dataclass(frozen=True)
class SpecifiedOperation:
    """One operation as the spec has it; `definition` may hold references."""

    method: str
    path: str
    definition: Mapping[str, Any]

    def __str__(self) -> str:
        return str(self.definition["operationId"])

    def response(self, status: int) -> Mapping[str, Any] | None:
        """The documented response to this status: its own, or the default."""
        responses = self.definition["responses"]
        return cast("Mapping[str, Any] | None", resolve(responses.get(str(status), responses.get("default"))))


@cache
def operations() -> tuple[SpecifiedOperation, ...]:
    """All operations of the spec."""
    methods = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
    return tuple(
        SpecifiedOperation(method.upper(), path, item[method])
        for path, item in specification()["paths"].items()
        for method in methods
        if method in item
    )


PATHS: Mapping[str, str] = {path: re.sub(r"\{\w+\}", "1", path) for path in specification()["paths"]}
"""Every path of the contract, and a path that a request can have."""
ALLOW: Mapping[str, str] = {
    path: ", ".join(
        sorted(
            {"OPTIONS", *(op.method for op in operations() if op.path == path)}
            | ({"HEAD"} if any(op.path == path and op.method == "GET" for op in operations()) else set())
        )
    )
    for path in PATHS
}
"""Every path of the contract, and the `Allow` that it must have."""


@cache
def _validator(reference: str) -> jsonschema_rs.Draft4Validator:
    """A validator for one component; it is not the one that the service uses, so that they check each other."""
    return jsonschema_rs.Draft4Validator(
        {"$ref": reference, "components": _without_nullable(specification()["components"])}, validate_formats=True
    )


def _without_nullable(node: Any) -> Any:
    """OpenAPI 3.0's `nullable` as JSON Schema's list of types."""
    if isinstance(node, list):
        return [_without_nullable(part) for part in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _without_nullable(value) for key, value in node.items() if key != "nullable"}
    return plain | {"type": [node["type"], "null"]} if node.get("nullable") is True else plain


def schema_errors(schema: Mapping[str, Any], value: Any) -> list[str]:
    """What the schema, or the one it refers to, has against the value."""
    if "$ref" in schema:
        return [error.message for error in _validator(schema["$ref"]).iter_errors(value)]
    return [error.message for error in Draft4Validator(_without_nullable(resolve(schema))).iter_errors(value)]


def _operation(method: str, path: str) -> SpecifiedOperation | None:
    for operation in sorted(operations(), key=lambda found: "{" in found.path):
        if operation.method == ("GET" if method == "HEAD" else method) and re.fullmatch(
            re.sub(r"\{\w+\}", "[^/]+", operation.path), path
        ):
            return operation
    return None


def assert_documented(method: str, path: str, response: httpx.Response) -> None:
    """The response is one that the contract has: status, media type, headers, and body with a newline at its end."""
    operation = _operation(method, path)
    if operation is None:
        return
    where = f"{method} {path} responded {response.status_code}"
    documented = operation.response(response.status_code)
    assert documented is not None, f"{where}, which is not documented"
    for name, header in documented.get("headers", {}).items():
        _assert_header(f"{where}, {name}", resolve(header), response.headers.get(name))
    content = documented.get("content", {})
    if not content or method == "HEAD":
        assert response.content == b"", f"{where} with a body"
        return
    media_type = response.headers["content-type"]
    assert media_type in content, f"{where} as {media_type}, which is not documented"
    assert schema_errors(content[media_type]["schema"], response.json()) == [], where
    assert response.content.endswith(b"\n"), f"{where} without a newline at the end"


def _assert_header(where: str, header: Mapping[str, Any], text: str | None) -> None:
    if text is None:
        assert not header.get("required"), f"{where} is missing"
        return
    schema = resolve(header["schema"])
    assert schema_errors(schema, int(text) if schema["type"] == "integer" else text) == [], where


class ContractClient(TestClient):
    """Starlette's client, which shows exceptions as the 500 they become, follows nothing, and holds what it gets
    against the contract.
    """

    def __init__(self, application: FlaskApp, *, root_path: str = "", ip: str = "testclient") -> None:
        super().__init__(
            application, raise_server_exceptions=False, follow_redirects=False, root_path=root_path, client=(ip, 50000)
        )
        has_pages = "problem_page" in application.app.view_functions  # the service, and no other application of a test
        self.event_hooks = {"request": [], "response": [_check, *([assert_type] if has_pages else [])]}

    def create(self, name: str = "Desk lamp", description: str | None = None) -> dict[str, Any]:
        """Create an item; the item as it was responded."""
        response = self.post("/items", json={"name": name, "description": description})
        assert response.status_code == 201, response.text
        return cast("dict[str, Any]", response.json())

    def fill(self, prefix: str = "") -> None:
        """Create one of everything that can be created, by its first example; in a new database, its id is 1."""
        for operation in operations():
            if operation.method == "POST":
                example = next(iter(operation.definition["requestBody"]["content"][JSON]["examples"].values()))
                assert self.post(prefix + operation.path, json=resolve(example)["value"]).status_code == 201

    def exchange(
        self,
        method: str,
        path: str,
        headers: Headers = (),
        chunks: Iterable[bytes] = (b"",),
        query: bytes = b"",
    ) -> httpx.Response:
        """One request as the server would hand it on, byte by byte: what `TestClient` would tidy up stays as it is."""
        response = _assembled(self._run(_scope(method, path, headers, query), _body(chunks)))
        assert_documented(method, path, response)
        return response

    def abandon(self, method: str, path: str, headers: Headers, chunks: Iterable[bytes]) -> list[Message]:
        """The same, but the client goes away before its body is complete; what was sent to it nevertheless."""
        unfinished = [{**message, "more_body": True} for message in _body(chunks) if message["body"]]
        return self._run(_scope(method, path, headers), unfinished)

    def _run(self, scope: Message, messages: Iterable[Message]) -> list[Message]:
        incoming = iter(messages)
        sent: list[Message] = []

        async def receive() -> Message:
            return next(incoming, {"type": "http.disconnect"})

        async def send(message: Message) -> None:
            sent.append(message)

        async def run() -> None:
            await self.app(scope, receive, send)

        assert self.portal is not None
        self.portal.call(run)
        return sent


def _scope(method: str, path: str, headers: Headers, query: bytes = b"") -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [(b"host", b"testserver"), *((name.lower().encode(), value) for name, value in headers)],
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
        "state": {},
    }


def _body(chunks: Iterable[bytes]) -> list[Message]:
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if messages:
        messages[-1]["more_body"] = False
    return messages


def _check(response: httpx.Response) -> None:
    response.read()
    assert_documented(response.request.method, response.request.url.path, response)


def assert_type(response: httpx.Response) -> None:
    """The type of a problem of the service is the URL of its page, below the prefix of the request."""
    if response.headers.get("Content-Type") != PROBLEM or not response.content:
        return
    path = problem_types()[response.status_code]
    found = response.json()["type"]
    assert found.endswith(path)
    assert response.request.url.path.startswith(found.removesuffix(path))


def _assembled(sent: list[Message]) -> httpx.Response:
    starts = [message for message in sent if message["type"] == "http.response.start"]
    assert len(starts) == 1, sent
    body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    return httpx.Response(starts[0]["status"], headers=starts[0]["headers"], content=body)


LIMITED = {"ratelimit": ANY, "ratelimit-policy": '"default";q=1000000;w=60'}
"""Headers of every response of an operation; tests/app/test_rate_limits.py has the values."""


def assert_problem(  # a problem has so many parts
    response: httpx.Response,
    status: int,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
) -> None:
    """The response is this problem, whole: status, media type, the given headers, and nothing more in the body."""
    expected: dict[str, Any] = {"type": response.json()["type"], "title": TITLES[status], "status": status}
    expected |= {"detail": detail}
    if errors is not None:
        expected["errors"] = list(errors)
    if request_id is not None:
        expected["request_id"] = request_id
    assert response.json() == expected
    assert response.status_code == status
    assert response.headers["Content-Type"] == PROBLEM
    assert response.headers["Content-Length"] == str(len(response.content))
    assert "X-Request-Id" in response.headers
    assert response.headers["Cache-Control"] == ("no-cache" if "ETag" in response.headers else "no-store")
    for name, value in (headers or {}).items():
        assert response.headers[name] == value


def assert_violations(response: httpx.Response, *errors: Mapping[str, str]) -> None:
    """The response is a 400 with exactly these violations."""
    (first, *others) = errors
    place, at = next((key, value) for key, value in first.items() if key != "detail")
    subject = f"{at}:" if at else {"pointer": "The body", "parameter": "The query string"}[place]
    detail = f"The request has {len(errors)} violations; see errors."
    assert_problem(response, 400, detail if others else f"{subject} {first['detail']}", errors=errors)


def assert_item(response: httpx.Response, status: int, etag: str, **properties: Any) -> dict[str, Any]:
    """The response is this item, whole; the timestamps, unless given, only have the right form. Returns the item."""
    item = cast("dict[str, Any]", response.json())
    assert response.status_code == status
    assert response.headers["Content-Type"] == JSON
    assert response.headers["ETag"] == etag
    times = {name: item[name] for name in ("created_at", "updated_at")}
    assert item == times | properties
    assert all(TIMESTAMP.fullmatch(time) for time in times.values())
    assert response.content == json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    return item


def links(response: httpx.Response) -> dict[str, str]:
    """The urls in `Link` by their relation (RFC 8288)."""
    found = re.findall(r'<([^>]*)>; rel="(\w+)"', response.headers["Link"])
    assert ", ".join(f'<{url}>; rel="{relation}"' for url, relation in found) == response.headers["Link"]
    assert len({relation for _, relation in found}) == len(found)
    return {relation: url for url, relation in found}

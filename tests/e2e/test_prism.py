"""Prism, an independent validating proxy between a client and the service, reports no violations.

It validates requests and responses against `openapi/items.yaml`. It rejects invalid ones with errors of its own.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from schemathesis.generation import GenerationMode

from app import SPECIFICATION
from tests.contract.test_differential import KEEP_GOING
from tests.differential import Sent
from tests.e2e.stack import Response, Running, ask, prism, service
from tests.requests import by_schemathesis
from tests.resources import resources
from tests.support import ALLOW, PATHS, operations

JSON = {"Content-Type": "application/json"}
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
# Headers of Prism itself and of its connections; all other headers must be unchanged.
OWN_HEADERS = {"connection", "content-length", "date", "keep-alive"}


@dataclass(frozen=True)
class Proxied:
    """The service, and Prism in front of it."""

    service: Running
    prism: Running


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """Prism with the unchanged contract."""
    folder = tmp_path_factory.mktemp("prism")
    with service(folder) as upstream, prism(folder, SPECIFICATION, upstream.port) as proxy:
        yield Proxied(upstream, proxy)


def _own_error(response: Response) -> str | None:
    """Return the name of Prism's own error, if the response is one."""
    if response.all("content-type") != ["application/problem+json"]:
        return None
    kind = str(response.json()["type"])
    return kind.partition("#")[2] if "prism" in kind else None


def _comparable(response: Response) -> tuple[int, dict[str, str], Any]:
    headers = {name.lower(): value for name, value in response.headers}
    kept = {
        name: re.sub(r"\d+", "…", value) if name == "ratelimit" else value  # what is left, and for how long
        for name, value in headers.items()
        if name not in OWN_HEADERS and not name.startswith("access-control-")
    }
    return response.status, kept, json.loads(response.body) if response.body else None


def _create(port: int, name: str = "Desk lamp") -> int:
    response = ask(port, "POST", "/items", json.dumps({"name": name}).encode(), JSON)
    assert response.status == 201
    return int(response.json()["id"])


@dataclass(frozen=True)
class Request:
    """A valid request and its expected status; `{id}` is an item at version 1."""

    status: int
    method: str
    path: str
    headers: Mapping[str, str] | None = None
    body: bytes | None = None


NEW = b'{"name": "Lamp", "description": "Iron"}'
REQUESTS = [
    Request(200, "GET", "/healthz"),
    Request(200, "GET", "/readyz"),
    Request(200, "GET", "/items"),
    Request(200, "GET", "/items?limit=1&sort=-name"),
    Request(200, "GET", "/items?name=Desk%20lamp"),
    Request(404, "GET", "/items?cursor=abcd"),
    Request(406, "GET", "/items", {"Accept": "text/html"}),
    Request(201, "POST", "/items", JSON, NEW),
    Request(406, "POST", "/items", {**JSON, "Accept": "text/html"}, NEW),
    Request(200, "GET", "/items/{id}"),
    Request(304, "GET", "/items/{id}", {"If-None-Match": '"1"'}),
    Request(200, "GET", "/items/{id}", {"If-None-Match": '"2"'}),
    Request(304, "GET", "/items/{id}", {"If-Match": '"1"', "If-None-Match": "*"}),
    Request(404, "GET", "/items/9007199254740991"),
    Request(406, "GET", "/items/{id}", {"Accept": "text/html"}),
    Request(412, "GET", "/items/{id}", {"If-Match": 'W/"1"'}),
    Request(200, "PUT", "/items/{id}", JSON, NEW),
    Request(200, "PUT", "/items/{id}", {**JSON, "If-Match": '"1"'}, NEW),
    Request(404, "PUT", "/items/9007199254740991", JSON, NEW),
    Request(406, "PUT", "/items/{id}", {**JSON, "Accept": "text/html"}, NEW),
    Request(412, "PUT", "/items/{id}", {**JSON, "If-Match": '"2"'}, NEW),
    Request(412, "PUT", "/items/{id}", {**JSON, "If-None-Match": "*"}, NEW),
    Request(200, "PATCH", "/items/{id}", MERGE_PATCH, b'{"description": null}'),
    Request(200, "PATCH", "/items/{id}", {**JSON, "If-Match": "*"}, b"{}"),
    Request(404, "PATCH", "/items/9007199254740991", MERGE_PATCH, b"{}"),
    Request(406, "PATCH", "/items/{id}", {**MERGE_PATCH, "Accept": "text/html"}, b"{}"),
    Request(412, "PATCH", "/items/{id}", {**MERGE_PATCH, "If-Match": '"2"'}, b"{}"),
    Request(204, "DELETE", "/items/{id}"),
    Request(204, "DELETE", "/items/{id}", {"If-Match": '"1"'}),
    Request(404, "DELETE", "/items/9007199254740991"),
    Request(412, "DELETE", "/items/{id}", {"If-Match": '"2"'}),
    Request(412, "DELETE", "/items/{id}", {"If-None-Match": '"2",\tW/"1"'}),
]
# Responses that no valid request can have here: they are errors of the request or of the service. Of the statuses of
# the default response, a valid request can have 406; 405 comes from Prism itself (see DIFFERENCES).
UNREACHABLE = {"400", "409", "503", "default"}


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: f"{one.method} {one.path} {one.status} {one.headers}")
def test_a_valid_request_and_its_response_pass_unchanged(proxied: Proxied, request_: Request) -> None:
    """Status, headers and JSON body are the same through Prism."""
    path = request_.path.replace("{id}", str(_create(proxied.service.port)))
    headers = {"X-Request-Id": "the-same", **(request_.headers or {})}
    through = ask(proxied.prism.port, request_.method, path, request_.body, headers)
    assert _own_error(through) is None, through.json()
    assert (through.status, through["X-Request-Id"]) == (request_.status, "the-same")
    if request_.method == "GET":
        direct = ask(proxied.service.port, request_.method, path, request_.body, headers)
        assert _comparable(through) == _comparable(direct)


def test_the_requests_cover_every_status_of_valid_requests() -> None:
    """For every operation on items and on health; requests to another resource are generated below."""
    asked = {(one.method, _template(one.path), str(one.status)) for one in REQUESTS if one.status != 406}
    documented = {
        (operation.method, operation.path, status)
        for operation in operations()
        if operation.definition["tags"][0] in ("items", "health")
        for status in set(operation.definition["responses"]) - UNREACHABLE
    }
    assert asked == documented


def _template(path: str) -> str:
    path = path.partition("?")[0]
    return "/items/{item_id}" if path.startswith("/items/") else path


def test_all_pages_can_be_followed_through_prism(proxied: Proxied) -> None:
    """The URLs in Link are valid requests."""
    made = [_create(proxied.service.port, f"page {number}") for number in range(5)]
    seen, path = [], "/items?limit=2&sort=-id"
    while path:
        response = ask(proxied.prism.port, "GET", path)
        assert response.status == 200, response.body
        seen += [item["id"] for item in response.json()]
        path = next(iter(re.findall('<([^>]*)>; rel="next"', response["Link"])), "")
    assert seen[:5] == made[::-1]
    assert len(seen) == len(set(seen))


# The differences between Prism and the contract: methods that Prism responds to itself, and why.
DIFFERENCES = {
    "HEAD": "It works wherever GET does (docs/http.md); Prism knows only the methods that are written out.",
    "OPTIONS": "It works at every path (docs/http.md); the same.",
    "TRACE": "405 is documented, with Allow; Prism's own response to a method that a path does not have is without it.",
    "DELETE": "The same, where the path does not have it.",
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", DIFFERENCES)
def test_the_differences_of_prism(proxied: Proxied, method: str, path: str) -> None:
    """For each row of the table, Prism responds itself, and the service's response is the documented one."""
    if method == "DELETE" and method in ALLOW[path]:
        return
    through, direct = (ask(port, method, PATHS[path]) for port in (proxied.prism.port, proxied.service.port))
    assert (through.status, through.all("Allow")) == (405, [])
    assert method == "HEAD" or _own_error(through) == "NO_METHOD_MATCHED_ERROR"
    expected = {"HEAD": ask(proxied.service.port, "GET", PATHS[path]).status, "OPTIONS": 204}
    assert direct.status == expected.get(method, 405)
    assert method == "HEAD" or direct["Allow"] == ALLOW[path]


def test_prism_accepts_generated_requests_and_their_responses(proxied: Proxied) -> None:
    """Schemathesis generates several hundred valid requests.

    Every other id is that of an existing item.
    """
    statuses: Counter[int] = Counter()
    # A generated reference is to a row that does not exist.
    valid = {200, 201, 204, 304, 404, 412} | {409 for resource in resources().values() if resource.references}

    @settings(KEEP_GOING, max_examples=400)
    @given(by_schemathesis(GenerationMode.POSITIVE))
    def put(sent: Sent) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in sent.headers}
        target = sent.target.decode()
        if statuses.total() % 2:
            target = re.sub("^/items/[0-9]+", f"/items/{_create(proxied.service.port)}", target)
        body = b"".join(sent.body) or None
        through = ask(proxied.prism.port, sent.method, target, body, {**headers, "X-Request-Id": "the-same"})
        statuses[through.status] += 1
        assert _own_error(through) is None, f"{sent}\n{through.body.decode()}"
        assert through["X-Request-Id"] == "the-same", sent
        assert through.status in valid, sent

    put()
    print(f"Prism let pass: {dict(sorted(statuses.items()))}")
    assert statuses.total() >= 300
    assert {200, 201, 204, 404} <= set(statuses)


# Prism rejects violations

ITEM = '              schema:\n                $ref: "#/components/schemas/Item"\n'
LOCATION = "            Location:\n"
COLOUR = "            X-Colour: {required: true, schema: {type: string}}\n"


def test_prism_rejects_a_request_that_violates_the_contract(proxied: Proxied) -> None:
    """The service does not receive it."""
    response = ask(proxied.prism.port, "POST", "/items", b'{"colour": "green"}', JSON)
    assert (response.status, _own_error(response)) == (422, "UNPROCESSABLE_ENTITY")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("required: [id, name, description, created_at, updated_at]", "required: [colour]", id="body"),
        pytest.param('        "201":', '        "202":', id="status"),
        pytest.param(f"      application/json:\n{ITEM}", f"      application/xml:\n{ITEM}", id="media type"),
        pytest.param(f"headers:\n{LOCATION}", f"headers:\n{COLOUR}{LOCATION}", id="header"),
    ],
)
def test_prism_rejects_a_response_that_violates_the_contract(tmp_path: Path, old: str, new: str) -> None:
    """The same response is rejected with a modified contract."""
    text = SPECIFICATION.read_text(encoding="utf-8")
    assert old in text
    other = tmp_path / "items.yaml"
    other.write_text(text.replace(old, new), encoding="utf-8")
    with service(tmp_path) as upstream, prism(tmp_path, other, upstream.port) as proxy:
        response = ask(proxy.port, "POST", "/items", b'{"name": "Desk lamp"}', JSON)
    assert (response.status, _own_error(response)) == (500, "VIOLATIONS")

"""Prism, a validating proxy that is not ours, stands between a client and the service, and finds nothing to object to.

It judges both directions by `openapi/items.yaml` on its own: a request or an answer that breaks the contract does not
pass, and Prism answers in its own name instead.
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
from tests.e2e.stack import Answer, Running, ask, prism, service
from tests.requests import by_schemathesis
from tests.support import ALLOW, PATHS, operations

JSON = {"Content-Type": "application/json"}
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
# What Prism adds, or has of its own connections; all other headers must arrive as the service sent them.
OWN_HEADERS = {"connection", "content-length", "date", "keep-alive"}


@dataclass(frozen=True)
class Proxied:
    """The service, and Prism in front of it."""

    service: Running
    prism: Running


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """Prism with the contract as it is."""
    folder = tmp_path_factory.mktemp("prism")
    with service(folder) as upstream, prism(folder, SPECIFICATION, upstream.port) as proxy:
        yield Proxied(upstream, proxy)


def _own_error(answer: Answer) -> str | None:
    """The name of Prism's own error, if the answer is one."""
    if answer.all("content-type") != ["application/problem+json"]:
        return None
    kind = str(answer.json()["type"])
    return kind.partition("#")[2] if "prism" in kind else None


def _comparable(answer: Answer) -> tuple[int, dict[str, str], Any]:
    headers = {name.lower(): value for name, value in answer.headers}
    kept = {
        name: value
        for name, value in headers.items()
        if name not in OWN_HEADERS and not name.startswith("access-control-")
    }
    return answer.status, kept, json.loads(answer.body) if answer.body else None


def _create(port: int, name: str = "Desk lamp") -> int:
    answer = ask(port, "POST", "/items", json.dumps({"name": name}).encode(), JSON)
    assert answer.status == 201
    return int(answer.json()["id"])


@dataclass(frozen=True)
class Request:
    """A request that keeps to the contract, and the status that it must have; `{id}` is an item at version 1."""

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
# Responses that no valid request gets here: their cause is an invalid request, or a fault of the service. Of the
# statuses of the default, a valid request can get 406; 405 is Prism's own (see DIFFERENCES).
UNREACHABLE = {"400", "409", "503", "default"}


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: f"{one.method} {one.path} {one.status} {one.headers}")
def test_a_valid_request_and_its_answer_pass_unaltered(proxied: Proxied, request_: Request) -> None:
    """The answer through Prism is that of the service: status, headers, and the body as JSON."""
    path = request_.path.replace("{id}", str(_create(proxied.service.port)))
    headers = {"X-Request-Id": "the-same", **(request_.headers or {})}
    through = ask(proxied.prism.port, request_.method, path, request_.body, headers)
    assert _own_error(through) is None, through.json()
    assert (through.status, through["X-Request-Id"]) == (request_.status, "the-same")
    if request_.method == "GET":
        direct = ask(proxied.service.port, request_.method, path, request_.body, headers)
        assert _comparable(through) == _comparable(direct)


def test_every_status_that_a_valid_request_can_have_is_among_them() -> None:
    """For every operation of the contract."""
    asked = {(one.method, _template(one.path), str(one.status)) for one in REQUESTS if one.status != 406}
    documented = {
        (operation.method, operation.path, status)
        for operation in operations()
        for status in set(operation.definition["responses"]) - UNREACHABLE
    }
    assert asked == documented


def _template(path: str) -> str:
    path = path.partition("?")[0]
    return "/items/{item_id}" if path.startswith("/items/") else path


def test_all_pages_can_be_followed_through_it(proxied: Proxied) -> None:
    """The addresses in Link pass as valid requests."""
    made = [_create(proxied.service.port, f"page {number}") for number in range(5)]
    seen, path = [], "/items?limit=2&sort=-id"
    while path:
        answer = ask(proxied.prism.port, "GET", path)
        assert answer.status == 200, answer.body
        seen += [item["id"] for item in answer.json()]
        path = next(iter(re.findall('<([^>]*)>; rel="next"', answer["Link"])), "")
    assert seen[:5] == made[::-1]
    assert len(seen) == len(set(seen))


# The one table of what Prism does otherwise than the contract says: methods that it answers in its own name, and why.
DIFFERENCES = {
    "HEAD": "It works wherever GET does (docs/http.md); Prism knows only the methods that are written out.",
    "OPTIONS": "It works at every path (docs/http.md); the same.",
    "TRACE": "405 is documented, with Allow; Prism's own answer to a method that a path does not have is without it.",
    "DELETE": "The same, where the path does not have it.",
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", DIFFERENCES)
def test_what_prism_does_otherwise(proxied: Proxied, method: str, path: str) -> None:
    """By the table above: the answer is Prism's own. The service's is the documented one."""
    if method == "DELETE" and method in ALLOW[path]:
        return
    through, direct = (ask(port, method, PATHS[path]) for port in (proxied.prism.port, proxied.service.port))
    assert (through.status, through.all("Allow")) == (405, [])
    assert method == "HEAD" or _own_error(through) == "NO_METHOD_MATCHED_ERROR"
    expected = {"HEAD": ask(proxied.service.port, "GET", PATHS[path]).status, "OPTIONS": 204}
    assert direct.status == expected.get(method, 405)
    assert method == "HEAD" or direct["Allow"] == ALLOW[path]


def test_no_generated_request_that_keeps_to_the_contract_is_objected_to(proxied: Proxied) -> None:
    """A few hundred that Schemathesis makes out of the spec: neither they nor their answers are refused.

    Every other id is made that of an item that is there.
    """
    statuses: Counter[int] = Counter()

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
        assert through.status in (200, 201, 204, 304, 404, 412), sent

    put()
    print(f"Prism let pass: {dict(sorted(statuses.items()))}")
    assert statuses.total() >= 300
    assert {200, 201, 204, 404} <= set(statuses)


# That it can object

ITEM = '              schema:\n                $ref: "#/components/schemas/Item"\n'
LOCATION = "            Location:\n"
COLOUR = "            X-Colour: {required: true, schema: {type: string}}\n"


def test_it_refuses_a_request_that_breaks_the_contract(proxied: Proxied) -> None:
    """In its own name, and the service does not see it."""
    answer = ask(proxied.prism.port, "POST", "/items", b'{"colour": "green"}', JSON)
    assert (answer.status, _own_error(answer)) == (422, "UNPROCESSABLE_ENTITY")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("required: [id, name, description, created_at, updated_at]", "required: [colour]", id="body"),
        pytest.param('        "201":', '        "202":', id="status"),
        pytest.param(f"      application/json:\n{ITEM}", f"      application/xml:\n{ITEM}", id="media type"),
        pytest.param(f"headers:\n{LOCATION}", f"headers:\n{COLOUR}{LOCATION}", id="header"),
    ],
)
def test_it_refuses_an_answer_that_breaks_the_contract(tmp_path: Path, old: str, new: str) -> None:
    """With a copy of the contract that asks for something else, the same answer does not pass."""
    text = SPECIFICATION.read_text(encoding="utf-8")
    assert old in text
    other = tmp_path / "items.yaml"
    other.write_text(text.replace(old, new), encoding="utf-8")
    with service(tmp_path) as upstream, prism(tmp_path, other, upstream.port) as proxy:
        answer = ask(proxy.port, "POST", "/items", b'{"name": "Desk lamp"}', JSON)
    assert (answer.status, _own_error(answer)) == (500, "VIOLATIONS")

"""`x-pipeline: connexion` leaves an operation to plain Connexion, behind the contract's own router."""

from typing import Any

import pytest

from contract import Proceed, Request
from tests.contract.conftest import Serve
from tests.support import ContractClient, assert_problem

CONTRACT = """
paths:
  /t/{id}:
    post:
      tags: [things]
      operationId: post_open
      %(open)s
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: Open., content: {application/json: {}}}}
    get:
      tags: [things]
      operationId: get_named
      %(open)s
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: Named., content: {application/json: {}}}}
  /t/secret:
    post:
      tags: [things]
      operationId: post_secret
      %(secret)s
      security: [{key: []}]
      responses: {"200": {description: Secret., content: {application/json: {}}}}
  /t/{id}.json:
    get:
      tags: [things]
      operationId: get_json
      %(secret)s
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: JSON., content: {application/json: {}}}}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key, x-apikeyInfoFunc: tests.contract.specs.guards.check_key}
"""
HANDLERS = """
import flask
def post_open(id): return {"open": id}
def post_secret(): return {"secret": True}
def get_json(id): return {"json": id}
def get_named(id): return {"named": id}
"""
FORWARDED = "x-pipeline: connexion"
COMPILED = "deprecated: false"


@pytest.fixture(params=[(COMPILED, COMPILED), (COMPILED, FORWARDED), (FORWARDED, COMPILED), (FORWARDED, FORWARDED)])
def client(request: pytest.FixtureRequest, serve: Serve) -> ContractClient:
    """The contract with each of the two kinds of operations compiled or forwarded."""
    open_, secret = request.param
    return serve(CONTRACT % {"open": open_, "secret": secret}, HANDLERS)


def test_a_secured_operation_is_not_reached_through_an_open_one(client: ContractClient) -> None:
    """An open `/t/{id}` beside a secured `/t/secret`: without credentials, the latter responses 401."""
    assert client.post("/t/secret").status_code == 401
    assert client.post("/t/secret", headers={"X-Key": "shut"}).status_code == 401


def test_credentials_open_it(client: ContractClient) -> None:
    """And the open operation needs none."""
    assert client.post("/t/secret", headers={"X-Key": "open"}).json() == {"secret": True}
    assert client.post("/t/7").json() == {"open": 7}


@pytest.mark.parametrize("path", ["/t/a.json", "/t/.json.json"])
def test_precedence_is_one_for_both(client: ContractClient, path: str) -> None:
    """The template with more characters of its own is chosen; the wrong handler never runs."""
    response = client.get(path)
    assert response.status_code == 404 or response.json() == {"json": path[3:-5]}
    assert client.get("/t/a").json() == {"named": "a"}


def test_what_every_response_needs_is_there(client: ContractClient) -> None:
    """Request id, HEAD, OPTIONS, 405, and errors as problems."""
    assert client.post("/t/7", headers={"X-Request-Id": "r"}).headers.get_list("X-Request-Id") == ["r"]
    head = client.head("/t/a")
    assert (head.status_code, head.content) == (200, b"")
    assert client.options("/t/secret").headers["Allow"] == "OPTIONS, POST"
    assert_problem(client.delete("/t/secret"), 405, "DELETE is not allowed here; allowed methods: OPTIONS, POST.")
    assert client.post("/t/secret").headers["Content-Type"] == "application/problem+json"


def test_a_path_that_only_connexions_routers_know_is_404(client: ContractClient) -> None:
    """A slash too many does not lead to the operation, with credentials or without."""
    for path in ("/t/secret/", "//t/secret", "/T/secret"):
        response = client.post(f"http://testserver{path}", headers={"X-Key": "open"})
        assert response.status_code == 404, path


def test_code_around_operations_runs_for_forwarded_ones_as_well(serve: Serve) -> None:
    """It sees the whole response."""

    async def mark(request: Request, proceed: Proceed) -> Any:
        response = await proceed(request)
        response.headers.append((b"x-mark", str(response.status).encode()))
        return response

    client = serve(CONTRACT % {"open": FORWARDED, "secret": FORWARDED}, HANDLERS, around=[lambda _operation: mark])
    response = client.post("/t/7")
    assert (response.json(), response.headers["X-Mark"]) == ({"open": 7}, "200")

"""Access: what the contract declares about credentials and scopes is enforced before anything else is read."""

import asyncio
from typing import Any

import pytest

from contract import ContractError, Principal, RejectedError, Request, principal
from contract.problems import Problem
from tests.contract.conftest import Serve

CONTRACT = """
components:
  securitySchemes:
    Key: {type: apiKey, in: header, name: X-Key}
    Token: {type: http, scheme: bearer}
    Query: {type: apiKey, in: query, name: key}
    Basic: {type: http, scheme: basic}
security: [{Key: []}, {Token: []}]
paths:
  /x:
    get:
      tags: [things]
      operationId: get_x
      x-required-scopes: [x:read]
      responses: {"200": {description: X., content: {application/json: {schema: {}}}}}
    put:
      tags: [things]
      operationId: put_x
      x-required-scopes: [x:write, x:admin]
      requestBody: {required: true, content: {application/json: {schema: {type: object}}}}
      responses: {"200": {description: X., content: {application/json: {schema: {}}}}}
  /open:
    get:
      tags: [things]
      operationId: get_open
      security: []
      responses: {"200": {description: X., content: {application/json: {schema: {}}}}}
  /either:
    get:
      tags: [things]
      operationId: get_either
      security: [{Key: []}, {}]
      responses: {"200": {description: X., content: {application/json: {schema: {}}}}}
"""
SOURCE = """
from contract import principal
def _who():
    found = principal()
    return {"id": found and found.id}
def get_x(): return _who()
def put_x(body): return _who()
def get_open(): return _who()
def get_either(): return _who()
"""
CHALLENGES = 'ApiKey realm="Inline", header="X-Key", Bearer realm="Inline"'


class Table:
    """A verifier that knows some credentials."""

    def __init__(self, **known: str) -> None:
        self.known = known

    async def verify(self, credential: str, _request: Request) -> Principal:
        """Return the principal that has the name of the credential."""
        await asyncio.sleep(0)
        if credential == "slow-down":
            raise Problem(429, "Wait.", headers={"Retry-After": "3"})
        if credential == "old":
            raise RejectedError("The credential has expired.", "expired")
        if credential not in self.known:
            raise RejectedError("The credential is not valid.")
        return Principal(credential, frozenset(self.known[credential].split()))


VERIFIERS = {
    "Key": Table(reader="x:read", writer="x:read x:write x:admin", half="x:write"),
    "Token": Table(tok="x:read"),
}


@pytest.fixture
def client(serve: Serve) -> Any:
    """A client of the contract above."""
    return serve(CONTRACT, SOURCE, verifiers=VERIFIERS)


def _refusal(response: Any) -> tuple[int, str, str]:
    assert response.headers["Content-Type"] == "application/problem+json"
    return response.status_code, response.json()["detail"], response.headers.get("WWW-Authenticate")


def test_a_request_with_a_credential_is_served_with_its_principal(client: Any) -> None:
    """The handler sees whose request it is."""
    assert client.get("/x", headers={"X-Key": "reader"}).json() == {"id": "reader"}
    assert client.get("/x", headers={"Authorization": "Bearer tok"}).json() == {"id": "tok"}
    assert client.get("/x", headers={"Authorization": "bearer tok"}).json() == {"id": "tok"}
    assert client.put("/x", json={}, headers={"X-Key": "writer"}).json() == {"id": "writer"}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic dG9r"}, {"Authorization": "tok"}])
def test_without_a_credential_it_is_401(client: Any, headers: dict[str, str]) -> None:
    """The challenge names every way, and no error (RFC 6750 §3.1)."""
    detail = "This operation needs an API key in X-Key or a bearer token in Authorization."
    assert _refusal(client.get("/x", headers=headers)) == (401, detail, CHALLENGES)
    assert client.head("/x", headers=headers).headers["WWW-Authenticate"] == CHALLENGES


def test_an_invalid_credential_is_401(client: Any) -> None:
    """The error is with the challenge of the scheme that was used."""
    detail = "The credential is not valid."
    wrong_key = 'ApiKey realm="Inline", header="X-Key", error="invalid_token", Bearer realm="Inline"'
    assert _refusal(client.get("/x", headers={"X-Key": "tok"})) == (401, detail, wrong_key)
    wrong_token = f'{CHALLENGES}, error="invalid_token"'
    for value in ("Bearer reader", "Bearer", "Bearer ", "Bearer tok, tok"):
        assert _refusal(client.get("/x", headers={"Authorization": value})) == (401, detail, wrong_token)
    twice = [("X-Key", "reader"), ("X-Key", "reader")]
    assert _refusal(client.get("/x", headers=twice)) == (401, detail, wrong_key)


def test_a_missing_scope_is_403(client: Any) -> None:
    """The detail names what is missing, the challenge all that the operation needs (RFC 6750 §3.1)."""
    scope = 'error="insufficient_scope", scope="x:admin x:write"'
    challenge = f'ApiKey realm="Inline", header="X-Key", {scope}, Bearer realm="Inline"'
    response = client.put("/x", json={}, headers={"X-Key": "half"})
    assert _refusal(response) == (403, "The credential does not have the scope x:admin.", challenge)
    assert client.get("/x", headers={"X-Key": "half"}).status_code == 403


def test_one_valid_credential_is_enough(client: Any) -> None:
    """Of two, the first one in the order of the contract counts; if none is valid, its error is shown."""

    def get(key: str, token: str) -> Any:
        return client.get("/x", headers={"X-Key": key, "Authorization": f"Bearer {token}"})

    assert [get(*both).json()["id"] for both in (("reader", "tok"), ("reader", "x"), ("x", "tok"))] == [
        "reader", "reader", "tok"
    ]  # fmt: skip
    wrong = 'ApiKey realm="Inline", header="X-Key", error="invalid_token", Bearer realm="Inline"'
    assert _refusal(get("x", "y")) == (401, "The credential is not valid.", wrong)


def test_access_comes_before_everything_else(client: Any) -> None:
    """A request that is wrong in other ways tells nothing to who may not send it."""
    assert client.put("/x", content=b"{", headers={"Content-Type": "text/plain", "Accept": "a/b"}).status_code == 401
    assert client.put("/x", json=[], headers={"X-Key": "reader"}).status_code == 403


def test_a_verifier_can_respond_otherwise(client: Any) -> None:
    """Such as 429 after too many failures."""
    response = client.get("/x", headers={"X-Key": "slow-down"})
    assert (response.status_code, response.headers["Retry-After"]) == (429, "3")


def test_the_application_learns_each_result(serve: Serve) -> None:
    """Of each credential that was looked at, by its scheme; of a request without one that needs one; of no other."""
    seen: list[tuple[str, str]] = []
    client = serve(CONTRACT, SOURCE, verifiers=VERIFIERS, on_authentication=lambda *event: seen.append(event))
    for headers, events in (
        ({"X-Key": "reader"}, [("Key", "accepted")]),
        ({"X-Key": "half"}, [("Key", "scope")]),
        ({"X-Key": "old"}, [("Key", "expired")]),
        ({"X-Key": "slow-down"}, [("Key", "too_many")]),
        ({"X-Key": "wrong", "Authorization": "Bearer tok"}, [("Key", "invalid"), ("Token", "accepted")]),
        ({"Authorization": "Bearer wrong"}, [("Token", "invalid")]),
        ({}, [("-", "missing")]),
    ):
        client.get("/x", headers=headers)
        assert seen == events
        seen.clear()
    for path in ("/open", "/either"):
        assert client.get(path).status_code == 200
    assert seen == []


def test_an_operation_without_security_ignores_credentials(client: Any) -> None:
    """It has no principal, whoever sent the request before."""
    assert client.get("/x", headers={"X-Key": "reader"}).status_code == 200
    assert client.get("/open").json() == {"id": None}
    assert client.get("/open", headers={"X-Key": "wrong"}).json() == {"id": None}


def test_a_credential_can_be_optional(client: Any) -> None:
    """An empty requirement allows requests without one; a wrong one is still refused."""
    assert client.get("/either").json() == {"id": None}
    assert client.get("/either", headers={"X-Key": "half"}).json() == {"id": "half"}
    assert client.get("/either", headers={"X-Key": "wrong"}).status_code == 401


def test_methods_of_a_path_need_no_credential(client: Any) -> None:
    """OPTIONS and 405 are the same for everyone: the contract says them too."""
    assert client.options("/x").status_code == 204
    assert client.delete("/x").status_code == 405


def test_there_is_no_principal_outside_of_a_request() -> None:
    """The function can be called anywhere."""
    assert principal() is None


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("security: []", "security: [{Key: []}, {Query: []}]", "has no verifier for the security scheme Query"),
        ("security: []", "security: [{Key: [], Token: []}]", "`security` asks for two credentials at once"),
        ("security: []", "security: []\n      x-required-scopes: [a]", "has no effect without `security`"),
        ("[x:read]", "x:read", "x-required-scopes must be a list of strings"),
        ("[x:read]", '["x read"]', "x-required-scopes must be a list of strings"),
        ("      security: []", "      x-pipeline: connexion", "plain Connexion does not use the verifiers"),
    ],
)  # fmt: skip
def test_what_cannot_be_enforced_stops_the_start(serve: Serve, before: str, after: str, reason: str) -> None:
    """Nothing that is declared about access is skipped."""
    with pytest.raises(ContractError) as caught:
        serve(CONTRACT.replace(before, after), SOURCE, verifiers=VERIFIERS)
    assert reason in str(caught.value)


def test_scopes_without_a_verifier_stop_the_start(serve: Serve) -> None:
    """Connexion would not enforce them."""
    with pytest.raises(ContractError, match="x-required-scopes needs verifiers"):
        serve(CONTRACT, SOURCE)

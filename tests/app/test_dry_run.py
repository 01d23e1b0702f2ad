"""`Prefer: dry-run`: the response that a write would get, and nothing is stored."""

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import ContractClient, assert_item, assert_problem

DRY = {"Prefer": "dry-run"}
NAMES = st.sampled_from(["Desk lamp", "x" * 80, "", "x" * 81, None])
DESCRIPTIONS = st.sampled_from(["Brass", "x" * 200, "x" * 201, None, 1])
BODIES = st.fixed_dictionaries({}, optional={"name": NAMES, "description": DESCRIPTIONS})
PRECONDITIONS = st.sampled_from([{}, {"If-Match": '"1"'}, {"If-Match": '"2"'}, {"If-None-Match": "*"}])


def test_a_dry_run_responds_and_stores_nothing(client: ContractClient) -> None:
    """The response says so; the real request gets the same."""
    dry = client.post("/items", json={"name": "Lamp"}, headers=DRY)
    assert_item(dry, 201, '"1"', id=1, name="Lamp", description=None)
    assert (dry.headers["Location"], dry.headers["Preference-Applied"]) == ("/items/1", "dry-run")
    assert client.get("/items").json() == []
    real = client.post("/items", json={"name": "Lamp"})
    assert (real.headers["Location"], "Preference-Applied" in real.headers) == ("/items/1", False)


@pytest.mark.parametrize("prefer", ["DRY-RUN", 'respond-async, dry-run; x="y"', "return=minimal,dry-run"])
def test_the_preference_is_found_in_a_list(client: ContractClient, prefer: str) -> None:
    """RFC 7240 §2: a list, in any case, with parameters."""
    client.post("/items", json={"name": "Lamp"}, headers={"Prefer": prefer})
    assert client.get("/items").json() == []


@pytest.mark.parametrize("prefer", ["", "return=minimal", "dry-running", 'x="dry-run"', "dry_run"])
def test_other_preferences_are_ignored(client: ContractClient, prefer: str) -> None:
    """RFC 7240 §2."""
    response = client.post("/items", json={"name": "Lamp"}, headers={"Prefer": prefer})
    assert "Preference-Applied" not in response.headers
    assert len(client.get("/items").json()) == 1


def test_a_dry_run_keeps_no_response(client: ContractClient) -> None:
    """The real request with the same key is done."""
    key = {"Idempotency-Key": "1"}
    assert client.post("/items", json={"name": "Lamp"}, headers=key | DRY).status_code == 201
    real = client.post("/items", json={"name": "Lamp"}, headers=key)
    assert "Idempotency-Replayed" not in real.headers
    assert len(client.get("/items").json()) == 1


def test_a_dry_run_evaluates_preconditions(client: ContractClient) -> None:
    """And finds out what is not there."""
    client.create()
    wrong = {"If-Match": '"7"'}
    detail = 'If-Match does not match the current ETag "1".'
    assert_problem(client.delete("/items/1", headers=DRY | wrong), 412, detail)
    assert_problem(client.delete("/items/2", headers=DRY), 404, "There is no item 2.")
    assert client.delete("/items/1", headers=DRY).status_code == 204
    assert client.get("/items/1").status_code == 200


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(method=st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]), body=BODIES, headers=PRECONDITIONS)
def test_the_real_request_gets_the_same(
    client: ContractClient, method: str, body: dict[str, Any], headers: dict[str, str]
) -> None:
    """Status, headers and body, but for times and the request's own id; the id too on SQLite."""
    path = "/items" if method == "POST" else f"/items/{client.create()['id']}"
    before = client.get("/items?limit=100").json()
    options: dict[str, Any] = {} if method == "DELETE" else {"json": body}
    dry = client.request(method, path, headers=DRY | headers, **options)
    assert client.get("/items?limit=100").json() == before
    real = client.request(method, path, headers=headers, **options)
    assert _comparable(dry) == _comparable(real)
    for item in client.get("/items?limit=100").json():
        client.delete(f"/items/{item['id']}")


def _comparable(response: httpx.Response) -> tuple[int, Any, dict[str, str]]:
    own = {"x-request-id", "ratelimit", "preference-applied"}
    body = response.json() if response.content else None
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name not in ("created_at", "updated_at")}
    return response.status_code, body, {k: v for k, v in response.headers.items() if k not in own}

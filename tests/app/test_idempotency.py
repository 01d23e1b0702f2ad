"""`Idempotency-Key`: the first response below 500 is kept, in the transaction of the change, and sent again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from app import create_app
from app.settings import Settings
from db import idempotency
from db.engine import Database
from db.schema import idempotency_responses
from handlers.database import EXTENSION
from tests.support import ContractClient, assert_item, assert_problem

KEY = {"Idempotency-Key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
REUSED = "This Idempotency-Key was used for another request. Use a new key for each new request."


def _kept(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(idempotency_responses)).scalar_one())


def _same(first: httpx.Response, second: httpx.Response) -> bool:
    """The second response replays the first one: all of it, but for the request's own id."""
    own = {"x-request-id", "ratelimit", "idempotency-replayed"}
    headers = [{k: v for k, v in response.headers.items() if k not in own} for response in (first, second)]
    return (first.status_code, first.content, headers[0]) == (second.status_code, second.content, headers[1])


def test_a_repeated_post_gets_the_first_response(client: ContractClient) -> None:
    """One item is created, and the second response says that it is a replay."""
    first, second = (client.post("/items", json={"name": "Desk lamp"}, headers=KEY) for _ in range(2))
    assert_item(first, 201, '"1"', id=1, name="Desk lamp", description=None)
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert _same(first, second)
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    assert len(client.get("/items").json()) == 1


def test_a_repeated_patch_gets_the_first_response(client: ContractClient) -> None:
    """Also with a precondition that is false by then."""
    client.create()
    headers = KEY | {"If-Match": '"1"'}
    first, second = (client.patch("/items/1", json={"name": "Lamp"}, headers=headers) for _ in range(2))
    assert_item(second, 200, '"2"', id=1, name="Lamp", description=None)
    assert _same(first, second)
    assert client.get("/items/1").headers["ETag"] == '"2"'


def test_problems_of_the_handler_are_kept(client: ContractClient) -> None:
    """A 404 stays a 404, even if there is such an item by now."""
    first = client.patch("/items/1", json={"name": "Lamp"}, headers=KEY)
    client.create()
    second = client.patch("/items/1", json={"name": "Lamp"}, headers=KEY)
    assert_problem(second, 404, "There is no item 1.", headers={"Idempotency-Replayed": "true"})
    assert _same(first, second)


def test_invalid_requests_are_not_kept(client: ContractClient) -> None:
    """The corrected request can have the same key."""
    assert client.post("/items", json={"name": ""}, headers=KEY).status_code == 400
    assert client.post("/items", json={"name": "Lamp"}, headers=KEY).status_code == 201


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/items/1", b'{"name": "Other"}', {}),
        ("/items/2", b'{"name": "Lamp"}', {}),
        ("/items/1", b'{"name": "Lamp"}', {"If-Match": "*"}),
        ("/items/1", b'{"name": "Lamp"}', {"Content-Type": "application/json; charset=utf-8"}),
    ],
)
def test_another_request_with_the_same_key_is_422(
    client: ContractClient, path: str, body: bytes, headers: dict[str, str]
) -> None:
    """Another body, path, precondition or media type makes it another request; nothing is changed."""
    client.create()
    client.create()
    json_ = {"Content-Type": "application/json"}
    assert client.patch("/items/1", content=b'{"name": "Lamp"}', headers=KEY | json_).status_code == 200
    assert_problem(client.patch(path, content=body, headers=KEY | json_ | headers), 422, REUSED)
    assert [item["name"] for item in client.get("/items").json()] == ["Lamp", "Desk lamp"]


def test_another_operation_has_keys_of_its_own(client: ContractClient) -> None:
    """The same key on POST and on PATCH are two keys."""
    assert client.post("/items", json={"name": "Lamp"}, headers=KEY).status_code == 201
    assert client.patch("/items/1", json={"name": "Lamp"}, headers=KEY).status_code == 200


def test_other_operations_ignore_it(client: ContractClient) -> None:
    """PUT and DELETE do not declare it: they are idempotent by themselves."""
    client.create()
    assert [client.delete("/items/1", headers=KEY).status_code for _ in range(2)] == [204, 404]


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 256, "a\tb"])
def test_the_key_has_1_to_255_visible_characters(client: ContractClient, key: str) -> None:
    """Anything else is a 400."""
    response = client.post("/items", json={"name": "Lamp"}, headers={"Idempotency-Key": key.encode()})
    assert response.status_code == 400
    assert {error["header"] for error in response.json()["errors"]} == {"Idempotency-Key"}
    assert client.get("/items").json() == []


def test_the_longest_key(client: ContractClient) -> None:
    """255 characters, of every kind."""
    key = "".join(map(chr, range(0x21, 0x7F))).ljust(255, "~")
    statuses = [
        client.post("/items", json={"name": "Lamp"}, headers={"Idempotency-Key": key}).headers.get(
            "Idempotency-Replayed"
        )
        for _ in range(2)
    ]
    assert statuses == [None, "true"]


def test_nothing_is_kept_without_a_key(client: ContractClient, database: Database) -> None:
    """Nor looked up."""
    client.create()
    assert _kept(database) == 0


def test_a_failure_is_not_kept(client: ContractClient, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a 500 the same request with the same key is done."""
    with monkeypatch.context() as patch:
        patch.setattr("handlers.items._items.create", _fail)
        assert client.post("/items", json={"name": "Lamp"}, headers=KEY).status_code == 500
    assert _kept(database) == 0
    assert client.post("/items", json={"name": "Lamp"}, headers=KEY).status_code == 201


def _fail(_values: Any) -> None:
    raise RuntimeError("unforeseen")


def test_a_kept_response_expires(client: ContractClient, database: Database) -> None:
    """An old one is as good as none; old ones are removed, also beyond a number."""
    for number in range(5):
        client.post("/items", json={"name": "Lamp"}, headers={"Idempotency-Key": f"key-{number}"})
    with database.write() as connection:
        scope = idempotency.Scope("", "create_item", "key-0")
        assert idempotency.find(connection, scope, timedelta(hours=1)) is not None
        assert idempotency.find(connection, scope, timedelta(0)) is None
        assert idempotency.remove_old(connection, timedelta(hours=1), limit=10) == 0
        assert idempotency.remove_old(connection, timedelta(hours=1), limit=10, most=3) == 1
        assert idempotency.remove_old(connection, timedelta(0), limit=2) == 2
    assert _kept(database) == 1


def test_old_responses_are_removed_while_the_service_runs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """In steps, so that other writes go on in between."""
    monkeypatch.setattr("app.removal._SECONDS_BETWEEN_REMOVALS", 0)
    monkeypatch.setattr("app.removal._REMOVED_AT_ONCE", 2)
    monkeypatch.setattr("app.removal._PAUSE", 0)
    application = create_app(replace(settings, idempotency_hours=0))
    database = application.app.extensions[EXTENSION]
    with ContractClient(application) as client:
        for number in range(5):
            client.post("/items", json={"name": "Lamp"}, headers={"Idempotency-Key": f"key-{number}"})
        for _ in range(1000):
            if not _kept(database):
                break
            client.get("/items")
        assert _kept(database) == 0

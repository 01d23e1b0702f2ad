"""Owners: with access control, a row belongs to the principal that made it, and without it to nobody."""

from pathlib import Path

import pytest
from connexion import FlaskApp

from app import create_app
from app.settings import Settings
from db.engine import Database
from db.items import ITEMS
from tests.app.secured import new_key, secured_settings
from tests.support import ContractClient

LAMP = {"name": "Desk lamp"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with access control."""
    return secured_settings(tmp_path)


@pytest.fixture
def unowned(database: Database) -> None:
    """Two items that were made before."""
    database.create()
    with database.write() as connection:
        for name in ("Old", "Older"):
            ITEMS.add(connection, {"name": name, "description": None})


def _assign(application: FlaskApp, principal: str) -> str:
    result = application.app.test_cli_runner().invoke(args=["owners", "assign", principal])
    return str(result.output)


@pytest.mark.usefixtures("unowned")
def test_a_row_without_an_owner_is_there_for_nobody(client: ContractClient, application: FlaskApp) -> None:
    """A command gives them to a principal; only once, and with the version that they have."""
    ann, bob = new_key(application, "ann"), new_key(application, "bob")
    client.post("/items", json=LAMP, headers=bob)
    assert client.get("/items/1", headers=ann).status_code == 404
    assert _assign(application, "key:ann") == "items: 2 rows belong to key:ann now.\n"
    assert _assign(application, "key:bob") == "items: 0 rows belong to key:bob now.\n"
    assert [item["id"] for item in client.get("/items", headers=ann).json()] == [1, 2]
    assert client.get("/items/1", headers=ann).headers["ETag"] == '"1"'
    assert [item["id"] for item in client.get("/items", headers=bob).json()] == [3]


@pytest.mark.parametrize("principal", ["ann", "key:", "user:ann", "key:" + "x" * 200, "token:ä"])
def test_a_principal_has_its_kind_in_its_name(application: FlaskApp, principal: str) -> None:
    """A mistake would give the rows to nobody, for ever."""
    assert "must be key: and the name of a key" in _assign(application, principal)


@pytest.mark.usefixtures("unowned")
def test_without_access_control_all_rows_are_there(client: ContractClient, application: FlaskApp) -> None:
    """Whoever owns them; and a new row belongs to nobody."""
    client.post("/items", json=LAMP, headers=new_key(application, "ann"))
    database = Settings.from_environ({"DATABASE_URL": str(application.app.extensions["database"]._url)})
    with ContractClient(create_app(database)) as plain:
        plain.post("/items", json=LAMP)
        assert [item["id"] for item in plain.get("/items").json()] == [1, 2, 3, 4]
        assert plain.delete("/items/3").status_code == 204
    assert client.get("/items", headers=new_key(application, "ann")).json() == []


def test_two_keys_of_one_name_are_one_owner(client: ContractClient, application: FlaskApp) -> None:
    """So a rotated key has the rows of the key that it replaces."""
    client.post("/items", json=LAMP, headers=new_key(application, "ann"))
    assert client.get("/items/1", headers=new_key(application, "ann")).status_code == 200


def test_an_idempotency_key_belongs_to_its_principal(client: ContractClient, application: FlaskApp) -> None:
    """Another one's response is not replayed."""
    key = {"Idempotency-Key": "1"}
    ann, bob = (new_key(application, name) | key for name in ("ann", "bob"))
    first, second, again = (client.post("/items", json=LAMP, headers=headers) for headers in (ann, bob, ann))
    assert [response.json()["id"] for response in (first, second, again)] == [1, 2, 1]
    assert "Idempotency-Replayed" not in second.headers


def test_an_operation_without_security_has_no_rows_of_principals(
    client: ContractClient, application: FlaskApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not served all rows: what is made without a credential belongs to all who have none."""
    client.post("/items", json=LAMP, headers=new_key(application, "ann"))
    monkeypatch.setattr("handlers.owners.principal", lambda: None)
    key = new_key(application, "bob")  # the engine asks for it, and the handler does not see it
    assert client.get("/items", headers=key).json() == []
    client.post("/items", json=LAMP, headers=key)
    assert [item["id"] for item in client.get("/items", headers=key).json()] == [2]

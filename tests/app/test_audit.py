"""The audit log: an entry for each request that changed something, in the transaction of the change."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from connexion import FlaskApp
from sqlalchemy import func, select, update

from app import create_app
from app.audit import AuditLog
from app.removal import remove_old_rows
from app.settings import Settings
from contract.problems import Problem
from db.audit import ENTRIES
from db.engine import Database
from db.resources import Statements
from db.schema import audit_log
from handlers.database import EXTENSION
from tests.app.secured import new_key, resolved, secured_contract, secured_operations, secured_settings
from tests.support import JSON, TIMESTAMP, ContractClient, links

LAMP = {"name": "Desk lamp"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with access control."""
    return secured_settings(tmp_path)


@pytest.fixture
def ann(application: FlaskApp) -> dict[str, str]:
    """The key of one who reads and writes items."""
    return new_key(application, "ann")


@pytest.fixture
def auditor(application: FlaskApp) -> dict[str, str]:
    """The key of one who reads the log, and nothing else."""
    return new_key(application, "auditor", "audit:read")


def _entries(client: ContractClient, auditor: dict[str, str], query: str = "sort=id") -> list[dict[str, Any]]:
    response = client.get(f"/audit-log?{query}", headers=auditor)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()
    return found


def _done(entries: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return [(entry["operation"], entry["resource"], entry["status"]) for entry in entries]


def test_each_write_leaves_an_entry(client: ContractClient, ann: dict[str, str], auditor: dict[str, str]) -> None:
    """Who did what to which resource, when, from where; reads leave none."""
    created = client.post("/items", json=LAMP, headers=ann | {"X-Request-Id": "order-7"})
    client.put("/items/1", json=LAMP, headers=ann)
    client.patch("/items/1", json={}, headers=ann)
    client.get("/items/1", headers=ann)
    client.delete("/items/1", headers=ann)
    entries = _entries(client, auditor)
    assert _done(entries) == [
        ("create_item", "/items/1", 201),
        ("replace_item", "/items/1", 200),
        ("update_item", "/items/1", 200),
        ("delete_item", "/items/1", 204),
    ]
    assert entries[0] == {
        "id": 1,
        "created_at": entries[0]["created_at"],
        "principal": "key:ann",
        "operation": "create_item",
        "method": "POST",
        "resource": "/items/1",
        "status": 201,
        "client": "testclient",
        "request_id": "order-7",
    }
    assert TIMESTAMP.fullmatch(entries[0]["created_at"])
    assert entries[0]["created_at"] >= created.json()["created_at"]


def test_what_changes_nothing_leaves_no_entry(
    client: ContractClient, ann: dict[str, str], auditor: dict[str, str]
) -> None:
    """Requests that fail, dry runs, and requests that are sent again."""
    assert client.post("/items", json={"name": ""}, headers=ann).status_code == 400
    assert client.post("/items", json=LAMP, headers=auditor).status_code == 403
    assert client.post("/items", json=LAMP).status_code == 401
    assert client.delete("/items/1", headers=ann).status_code == 404
    assert client.patch("/items/1", json=LAMP, headers=ann | {"Idempotency-Key": "0"}).status_code == 404
    assert client.post("/items", json=LAMP, headers=ann | {"Prefer": "dry-run"}).status_code == 201
    assert _entries(client, auditor) == []
    for _ in range(2):
        assert client.post("/items", json=LAMP, headers=ann | {"Idempotency-Key": "1"}).status_code == 201
    assert client.put("/items/1", json=LAMP, headers=ann | {"If-Match": '"7"'}).status_code == 412
    assert _done(_entries(client, auditor)) == [("create_item", "/items/1", 201)]


@pytest.mark.parametrize("error", [Problem(409, "No."), RuntimeError("unforeseen")])
def test_a_write_that_is_rolled_back_leaves_no_entry(
    client: ContractClient,
    ann: dict[str, str],
    auditor: dict[str, str],
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever undoes it, after it was written."""
    add = Statements.add

    def fail(self: Any, *arguments: Any) -> None:
        add(self, *arguments)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Statements, "add", fail)
        assert client.post("/items", json=LAMP, headers=ann).status_code in (409, 500)
    assert (_entries(client, auditor), client.get("/items", headers=ann).json()) == ([], [])


def test_without_the_entry_there_is_no_write(
    client: ContractClient, ann: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are one transaction."""
    with monkeypatch.context() as patch:
        patch.setattr("app.audit._entry", None)
        assert client.post("/items", json=LAMP, headers=ann).status_code == 500
    assert client.get("/items", headers=ann).json() == []


def test_it_can_be_filtered_and_is_paged(
    client: ContractClient, application: FlaskApp, ann: dict[str, str], auditor: dict[str, str]
) -> None:
    """By who did it and by what was changed; the newest entries come first."""
    bob = new_key(application, "bob")
    for sender in (ann, bob, ann):
        client.post("/items", json=LAMP, headers=sender)
    client.delete("/items/2", headers=bob)
    assert [entry["id"] for entry in _entries(client, auditor, "")] == [4, 3, 2, 1]
    assert [entry["id"] for entry in _entries(client, auditor, "principal=key:bob")] == [4, 2]
    assert [entry["id"] for entry in _entries(client, auditor, "resource=/items/2&sort=id")] == [2, 4]
    assert [entry["id"] for entry in _entries(client, auditor, "resource=/items/2&principal=key:ann")] == []
    first = client.get("/audit-log?limit=3", headers=auditor)
    last = client.get(links(first)["next"], headers=auditor)
    assert [entry["id"] for entry in [*first.json(), *last.json()]] == [4, 3, 2, 1]
    assert "next" not in links(last)
    assert client.get(links(first)["next"] + "&principal=key:ann", headers=auditor).status_code == 404


def test_it_needs_a_scope_of_its_own(client: ContractClient, ann: dict[str, str]) -> None:
    """Scopes for items do not show who did what."""
    detail = "The credential does not have the scope audit:read."
    response = client.get("/audit-log", headers=ann)
    assert (response.status_code, response.json()["detail"]) == (403, detail)


def test_entries_are_as_the_contract_says(client: ContractClient, ann: dict[str, str], auditor: dict[str, str]) -> None:
    """Its schema has all properties of an entry."""
    client.post("/items", json=LAMP, headers=ann)
    (operation,) = [each for each in secured_operations() if str(each) == "list_audit_entries"]
    schema = resolved(operation.definition["responses"]["200"])["content"][JSON]["schema"]
    properties = resolved(resolved(schema)["items"])["properties"]
    entry = _entries(client, auditor)[0]
    assert entry.keys() == properties.keys()
    for name, part in properties.items():
        whole = {"allOf": [part], "components": secured_contract()["components"]}
        assert jsonschema_rs.Draft4Validator(whole).is_valid(entry[name]), name


def test_a_forwarded_client_of_any_length_leaves_the_log_readable(
    application: FlaskApp, ann: dict[str, str], auditor: dict[str, str]
) -> None:
    """A proxy that passes `X-Forwarded-For` on lets a client choose it: one entry would make the page a 500."""
    with ContractClient(application, ip="x" * 150) as client:
        assert client.post("/items", json=LAMP, headers=ann).status_code == 201
        (entry,) = _entries(client, auditor)
    assert entry["client"] == "x" * 100


def test_a_prefix_of_a_proxy_is_no_part_of_the_resource(
    application: FlaskApp, ann: dict[str, str], auditor: dict[str, str]
) -> None:
    """The same item has the same path behind any proxy."""
    with ContractClient(application, root_path="/shop") as client:
        created = client.post("/shop/items", json=LAMP, headers=ann)
        client.delete("/shop/items/1", headers=ann)
        entries = client.get("/shop/audit-log?sort=id", headers=auditor).json()
    assert created.headers["Location"] == "/shop/items/1"
    assert _done(entries) == [("create_item", "/items/1", 201), ("delete_item", "/items/1", 204)]


def test_old_entries_are_removed(
    client: ContractClient, database: Database, ann: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In steps, while the service runs."""
    for _ in range(5):
        client.post("/items", json=LAMP, headers=ann)
    with database.write() as connection:
        old = update(audit_log).where(audit_log.c.id < 5).values(created_at="2020-01-01T00:00:00.000000Z")
        connection.execute(old)
    monkeypatch.setattr("app.removal._SECONDS_BETWEEN_REMOVALS", 0)
    monkeypatch.setattr("app.removal._REMOVED_AT_ONCE", 2)
    monkeypatch.setattr("app.removal._PAUSE", 0)

    async def remove() -> None:
        task = asyncio.create_task(remove_old_rows(database, [AuditLog(database, timedelta(days=365))]))
        while _count(database) > 1:  # noqa: ASYNC110 -- it has no event
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(asyncio.wait_for(remove(), 10))
    assert _count(database) == 1


def _count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(audit_log)).scalar_one())


def test_without_access_control_there_is_none(tmp_path: Path) -> None:
    """Neither the operation nor an entry: the service does not know who sends a request."""
    application = create_app(Settings.from_environ({"DATABASE_URL": f"sqlite:///{tmp_path}/open.db"}))
    with ContractClient(application) as client:
        assert client.post("/items", json=LAMP).status_code == 201
        assert client.get("/audit-log").status_code == 404
        assert "audit" not in client.get("/openapi.yaml").text
        assert _count(application.app.extensions[EXTENSION]) == 0


@pytest.mark.parametrize("key", ENTRIES._pages, ids=str)
def test_pages_are_read_along_an_index(database: Database, key: Any) -> None:
    """However many entries there are, and whatever they are filtered by."""
    database.create()
    statement = ENTRIES._pages[key].all.statement
    with database.read() as connection:
        sql = str(statement.compile(connection))
        values = dict.fromkeys(statement.compile(connection).params, 1)
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", tuple(values.values()))]
    assert [step for step in plan if "TEMP B-TREE" in step] == []
    assert all("USING" in step or not key[1] for step in plan)

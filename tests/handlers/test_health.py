"""Health checks: the process, and the database."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from app.settings import Settings
from db.engine import Database
from tests.support import ContractClient, assert_problem

UNREACHABLE = "The database cannot be reached. Try again in a moment."


def _assert_ok(response: httpx.Response) -> None:
    assert (response.status_code, response.content) == (200, b'{"status":"ok"}\n')
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_healthy_service_is_ready(client: ContractClient, path: str) -> None:
    """An empty database is ready, too."""
    _assert_ok(client.get(path))


def _directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _garbage(file: Path) -> None:
    file.write_bytes(os.urandom(4096))


def _other_database(file: Path) -> None:
    file.unlink()
    sqlite3.connect(file).close()


def _no_folder(file: Path) -> None:
    file.parent.rename(file.parent.with_name(f"{file.parent.name}-elsewhere"))


BREAKS: dict[str, Callable[[Path], None]] = {
    "a directory is in its place": _directory,
    "something else is in its place": _garbage,
    "it has no tables": _other_database,
    "its folder is gone": _no_folder,
}


@pytest.mark.parametrize("kind", BREAKS)
def test_an_unavailable_database_is_not_ready(
    client: ContractClient, database: Database, settings: Settings, kind: str
) -> None:
    """Readiness is a 503 with Retry-After, so a load balancer sends no requests; liveness is still 200."""
    database.close()
    file = Path(str(settings.database_url.database))
    for beside in file.parent.glob(f"{file.name}-*"):
        beside.unlink()
    BREAKS[kind](file)
    response = client.get("/readyz")
    assert_problem(response, 503, response.json()["detail"], headers={"Retry-After": "5"})
    _assert_ok(client.get("/healthz"))


def test_a_missing_table_is_not_ready(client: ContractClient, database: Database) -> None:
    """The database works, but a table is missing."""
    with database.write() as connection:
        connection.exec_driver_sql("DROP TABLE items")
    response = client.get("/readyz")
    assert_problem(response, 503, response.json()["detail"], headers={"Retry-After": "5"})


def test_a_database_that_works_again_is_ready_again(client: ContractClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered."""

    def unreachable(_database: Database) -> None:
        raise OperationalError("SELECT 1", {}, Exception("connection refused"))

    with monkeypatch.context() as patched:
        patched.setattr(Database, "read", unreachable)
        assert_problem(client.get("/readyz"), 503, UNREACHABLE, headers={"Retry-After": "5"})
        _assert_ok(client.get("/healthz"))
    _assert_ok(client.get("/readyz"))


def test_a_full_disk_is_not_ready(client: ContractClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readiness says so while it lasts; reads still work."""
    full = os.statvfs_result((4096, 4096, 1000, 0, 0, 1000, 0, 0, 0, 255))
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda _: full)
        assert_problem(client.get("/readyz"), 503, "The disk is full.", headers={"Retry-After": "30"})
        assert client.get("/items").json() == []
        _assert_ok(client.get("/healthz"))
    _assert_ok(client.get("/readyz"))

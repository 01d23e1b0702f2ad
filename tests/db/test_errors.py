"""The published table of database errors: each row, with real errors where SQLite can cause them, and through HTTP."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from connexion import FlaskApp
from sqlalchemy import create_engine
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import (
    TimeoutError as PoolTimeout,
)

from app.settings import Settings
from db import sqlite
from db.engine import Database
from db.errors import BUSY, CONSTRAINT, FULL, READ_ONLY, SQLITE, UNREACHABLE, Failure, failure
from db.items import ITEMS
from db.resources import ping
from db.turns import Turns
from handlers.database import EXTENSION
from tests.support import ContractClient, assert_problem

DRIVER_TEXT = re.compile(
    r"sqlite|psycopg|postgres|sqlalchemy|database is locked|UNIQUE|constraint failed|readonly|SELECT|INSERT|"
    r"items_|\.db|/tmp|Traceback",
    re.IGNORECASE,
)


class _Coded(Exception):  # noqa: N818  # stands for a driver's exception
    """An exception with an error code, like those of sqlite3."""

    def __init__(self, code: int) -> None:
        super().__init__("driver text")
        self.sqlite_errorcode = code


class _Stated(Exception):  # noqa: N818  # stands for a driver's exception
    """An exception with an SQLSTATE, like those of psycopg; without one if the server was not reached."""

    def __init__(self, state: str | None) -> None:
        super().__init__("driver text")
        self.sqlstate = state


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_BUSY, BUSY),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, BUSY),
        (sqlite3.SQLITE_BUSY_RECOVERY, BUSY),
        (sqlite3.SQLITE_LOCKED, BUSY),
        (sqlite3.SQLITE_PROTOCOL, BUSY),
        (sqlite3.SQLITE_CANTOPEN, UNREACHABLE),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, UNREACHABLE),
        (sqlite3.SQLITE_IOERR_FSYNC, UNREACHABLE),
        (sqlite3.SQLITE_NOMEM, UNREACHABLE),
        (sqlite3.SQLITE_READONLY, READ_ONLY),
        (sqlite3.SQLITE_READONLY_DBMOVED, READ_ONLY),
        (sqlite3.SQLITE_FULL, FULL),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, CONSTRAINT),
        (sqlite3.SQLITE_CONSTRAINT_CHECK, CONSTRAINT),
        (sqlite3.SQLITE_ERROR, None),
        (sqlite3.SQLITE_MISUSE, None),
    ],
)
def test_sqlites_codes(code: int, expected: Failure | None) -> None:
    """Extended result codes count as their primary code."""
    assert failure(OperationalError("SELECT 1", {}, _Coded(code))) is expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("53100", FULL),
        ("53300", BUSY),
        ("25006", READ_ONLY),
        ("25001", None),
        ("08006", UNREACHABLE),
        ("08001", UNREACHABLE),
        ("23505", CONSTRAINT),
        ("23514", CONSTRAINT),
        ("40001", BUSY),
        ("40P01", BUSY),
        ("55P03", BUSY),
        ("57P01", UNREACHABLE),
        ("57P03", UNREACHABLE),
        ("42P01", None),
        ("22021", None),
        ("XX000", None),
    ],
)
def test_postgresqls_states(state: str, expected: Failure | None) -> None:
    """The whole SQLSTATE takes precedence over its class."""
    assert failure(OperationalError("SELECT 1", {}, _Stated(state))) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PoolTimeout("no connection became free"), BUSY),
        (OperationalError("SELECT 1", {}, _Stated(None)), UNREACHABLE),
        (InterfaceError("SELECT 1", {}, Exception("connection closed")), UNREACHABLE),
        (ProgrammingError("SELECT 1", {}, _Stated(None)), None),
        (InternalError("SELECT 1", {}, Exception("x")), None),
        (DataError("SELECT 1", {}, Exception("x")), None),
        (IntegrityError("SELECT 1", {}, _Stated("23505")), CONSTRAINT),
        (ArgumentError("a mistake of ours"), None),
    ],
)
def test_errors_without_a_code(error: SQLAlchemyError, expected: Failure | None) -> None:
    """A connection that failed is unreachable, and a programming error has no row."""
    assert failure(error) is expected


def test_every_row_is_a_status_of_the_contract() -> None:
    """The detail is a sentence."""
    for row in set(SQLITE.values()):
        assert row.status in (409, 503, 507)
        assert (row.retry_after is not None) is (row.status == 503)
        assert row.detail.endswith(".")
        assert not DRIVER_TEXT.search(row.detail)


def _real(database: Database, statement: Callable[[Database], Any]) -> Failure | None:
    with pytest.raises(SQLAlchemyError) as caught:
        statement(database)
    return failure(caught.value)


def _add(database: Database) -> None:
    with database.write() as connection:
        ITEMS.add(connection, {"name": "x" * 80, "description": "y" * 200})


def _add_many(database: Database) -> None:
    for _ in range(1000):
        _add(database)


def _ping(database: Database) -> None:
    with database.read() as connection:
        ping(connection)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes do not wait for a lock."""
    monkeypatch.setattr(Turns, "seconds", property(lambda _: 0.001, lambda *_: None), raising=False)


@pytest.fixture
def lock(file: Path) -> Iterator[Callable[[], None]]:
    """Hold the write lock of the database on another connection."""
    connections: list[sqlite3.Connection] = []

    def take() -> None:
        connections.append(sqlite3.connect(file, isolation_level=None))
        connections[0].execute("BEGIN IMMEDIATE")

    yield take
    for connection in connections:
        connection.close()


def _with_pragma(monkeypatch: pytest.MonkeyPatch, database: Database, pragma: str) -> None:
    database.close()
    monkeypatch.setattr(sqlite, "_PRAGMAS", (*sqlite._PRAGMAS, pragma))


@pytest.mark.usefixtures("impatient")
def test_a_held_lock_is_busy(database: Database, lock: Callable[[], None]) -> None:
    """Writers need the lock, and readers do not."""
    lock()
    assert _real(database, _add) is BUSY
    _ping(database)


def test_a_full_disk_is_full(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """`max_page_count` simulates a full disk."""
    _with_pragma(monkeypatch, database, "PRAGMA max_page_count = 1")
    assert _real(database, _add_many) is FULL
    _ping(database)


def test_a_read_only_database_is_read_only(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """`query_only` simulates a read-only file system."""
    _with_pragma(monkeypatch, database, "PRAGMA query_only = ON")
    assert _real(database, _add) is READ_ONLY
    _ping(database)


def test_a_violated_constraint_is_a_constraint(database: Database) -> None:
    """The test adds the constraint."""
    with database.write() as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX one_of_each ON items (name)")
    _add(database)
    assert _real(database, _add) is CONSTRAINT


def test_a_file_that_cannot_be_opened_is_unreachable(settings: Settings, file: Path) -> None:
    """The path is a directory."""
    file.mkdir()
    database = Database(settings.database_url)
    assert _real(database, _ping) is UNREACHABLE
    database.close()


def test_a_file_that_is_not_a_database_is_unreachable(settings: Settings, file: Path) -> None:
    """Retrying at once does not help."""
    file.write_bytes(b"not a database" * 100)
    database = Database(settings.database_url)
    assert _real(database, _ping) is UNREACHABLE
    database.close()


def test_a_missing_server_is_unreachable() -> None:
    """Psycopg raises the error without a server."""
    absent = create_engine("postgresql+psycopg://u:p@127.0.0.1:1/d?connect_timeout=2")
    with pytest.raises(OperationalError) as caught, absent.connect():
        pass
    absent.dispose()
    assert failure(caught.value) is UNREACHABLE


WRITES = {
    "POST": ("/items", {"name": "Desk lamp"}),
    "PUT": ("/items/1", {"name": "y"}),
    "PATCH": ("/items/1", {"name": "y"}),
    "DELETE": ("/items/1", None),
}
each_write = pytest.mark.parametrize("method", WRITES)


@pytest.fixture
def database_of_client(application: FlaskApp) -> Database:
    """The database of the client's application."""
    database = application.app.extensions[EXTENSION]
    assert isinstance(database, Database)
    return database


def _assert_failure(client: ContractClient, method: str, expected: Failure) -> None:
    path, document = WRITES[method]
    response = client.request(method, path, json=document)
    retry = {} if expected.retry_after is None else {"Retry-After": str(expected.retry_after)}
    assert_problem(response, expected.status, expected.detail, headers=retry)
    assert not DRIVER_TEXT.search(response.text)
    assert ("Retry-After" in response.headers) is (expected.retry_after is not None)


@each_write
@pytest.mark.usefixtures("impatient")
def test_busy_through_http(client: ContractClient, lock: Callable[[], None], method: str) -> None:
    """The response is a 503 with Retry-After, and no data changes."""
    item = client.create()
    lock()
    _assert_failure(client, method, BUSY)
    assert client.get("/items").json() == [item]


@each_write
def test_read_only_through_http(
    client: ContractClient, database_of_client: Database, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The response is a 503 with Retry-After, and reads still work."""
    item = client.create()
    _with_pragma(monkeypatch, database_of_client, "PRAGMA query_only = ON")
    _assert_failure(client, method, READ_ONLY)
    assert client.get("/items").json() == [item]


def test_full_through_http(
    client: ContractClient, database_of_client: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The response is a 507 without Retry-After, because a retry does not help. Deleting still works."""
    item = client.create()
    _with_pragma(monkeypatch, database_of_client, "PRAGMA max_page_count = 1")
    with pytest.raises(SQLAlchemyError):
        _add_many(database_of_client)
    responses = (client.post("/items", json={"name": "x" * 80, "description": "y" * 200}) for _ in range(100))
    response = next(response for response in responses if response.status_code != 201)
    assert_problem(response, 507, FULL.detail)
    assert "Retry-After" not in response.headers
    assert not DRIVER_TEXT.search(response.text)
    assert client.delete(f"/items/{item['id']}").status_code == 204


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_constraint_through_http(client: ContractClient, database_of_client: Database, method: str) -> None:
    """The response is a 409 that does not name the constraint, and no data changes."""
    listed = [client.create("first"), client.create("Desk lamp"), client.create("y")]
    with database_of_client.write() as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX one_of_each ON items (name)")
    _assert_failure(client, method, CONSTRAINT)
    assert client.get("/items").json() == listed


def test_another_database_error_is_a_500_without_driver_messages(
    client: ContractClient, database_of_client: Database
) -> None:
    """A missing table is such an error."""
    with database_of_client.write() as connection:
        connection.exec_driver_sql("DROP TABLE items")
    for method, (path, document) in WRITES.items():
        response = client.request(method, path, json=document)
        assert response.status_code == 500
        assert not DRIVER_TEXT.search(response.text)

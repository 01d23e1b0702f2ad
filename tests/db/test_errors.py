"""The published table of database errors: each row, made for real where SQLite can, and through HTTP."""

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
from db import engine
from db.engine import Database
from db.errors import BUSY, CONSTRAINT, FULL, READ_ONLY, SQLITE, UNREACHABLE, Failure, failure
from db.items import ITEMS
from db.resources import ping
from handlers.database import EXTENSION
from tests.support import ContractClient, assert_problem

PATIENT = f"PRAGMA busy_timeout = {engine.BUSY_TIMEOUT_MS}"
DRIVER_TEXT = re.compile(
    r"sqlite|psycopg|postgres|sqlalchemy|database is locked|UNIQUE|constraint failed|readonly|SELECT|INSERT|"
    r"items_|\.db|/tmp|Traceback",
    re.IGNORECASE,
)


class _Coded(Exception):  # noqa: N818  # stands for a driver's exception
    """An exception as sqlite3 raises it."""

    def __init__(self, code: int) -> None:
        super().__init__("driver text")
        self.sqlite_errorcode = code


class _Stated(Exception):  # noqa: N818  # stands for a driver's exception
    """An exception as psycopg raises it; no state when it never reached the server."""

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
    """Primary and extended ones alike."""
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
    """The whole state first, then its class."""
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
    """What a driver could not reach is unreachable; a mistake of ours stays one."""
    assert failure(error) is expected


def test_every_row_is_a_status_of_the_contract() -> None:
    """And says in a sentence what to do."""
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
    """Connections that are opened from now on do not wait for a lock."""
    pragmas = tuple("PRAGMA busy_timeout = 0" if pragma == PATIENT else pragma for pragma in engine._PRAGMAS)
    assert pragmas != engine._PRAGMAS
    monkeypatch.setattr(engine, "_PRAGMAS", pragmas)


@pytest.fixture
def lock(file: Path) -> Iterator[Callable[[], None]]:
    """Takes the write lock of the database in another connection."""
    connections: list[sqlite3.Connection] = []

    def take() -> None:
        connections.append(sqlite3.connect(file, isolation_level=None))
        connections[0].execute("BEGIN IMMEDIATE")

    yield take
    for connection in connections:
        connection.close()


def _with_pragma(monkeypatch: pytest.MonkeyPatch, database: Database, pragma: str) -> None:
    database.close()
    monkeypatch.setattr(engine, "_PRAGMAS", (*engine._PRAGMAS, pragma))


@pytest.mark.usefixtures("impatient")
def test_a_lock_that_is_taken_is_busy(database: Database, lock: Callable[[], None]) -> None:
    """For writers; readers need none."""
    lock()
    assert _real(database, _add) is BUSY
    _ping(database)


def test_a_disk_without_room_is_full(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """`max_page_count` stands for the disk's end."""
    _with_pragma(monkeypatch, database, "PRAGMA max_page_count = 1")
    assert _real(database, _add_many) is FULL
    _ping(database)


def test_a_database_that_takes_no_writes_is_read_only(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """`query_only` stands for a read-only file system."""
    _with_pragma(monkeypatch, database, "PRAGMA query_only = ON")
    assert _real(database, _add) is READ_ONLY
    _ping(database)


def test_a_broken_rule_is_a_constraint(database: Database) -> None:
    """Here, a constraint that was added by hand."""
    with database.write() as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX one_of_each ON items (name)")
    _add(database)
    assert _real(database, _add) is CONSTRAINT


def test_a_file_that_cannot_be_opened_is_unreachable(settings: Settings, file: Path) -> None:
    """A directory is in its place."""
    file.mkdir()
    database = Database(settings.database_url)
    assert _real(database, _ping) is UNREACHABLE
    database.close()


def test_a_file_that_is_no_database_is_unreachable(settings: Settings, file: Path) -> None:
    """Nor does it become one by trying again at once."""
    file.write_bytes(b"not a database" * 100)
    database = Database(settings.database_url)
    assert _real(database, _ping) is UNREACHABLE
    database.close()


def test_a_server_that_is_not_there_is_unreachable() -> None:
    """Psycopg's own refusal, without a server."""
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
    """The database of the application that `client` asks."""
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
    """503 with Retry-After; what was there is still there."""
    item = client.create()
    lock()
    _assert_failure(client, method, BUSY)
    assert client.get("/items").json() == [item]


@each_write
def test_read_only_through_http(
    client: ContractClient, database_of_client: Database, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """503 with Retry-After; reads go on."""
    item = client.create()
    _with_pragma(monkeypatch, database_of_client, "PRAGMA query_only = ON")
    _assert_failure(client, method, READ_ONLY)
    assert client.get("/items").json() == [item]


def test_full_through_http(
    client: ContractClient, database_of_client: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """507; trying again is no use, so no Retry-After. Deleting still works."""
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
    """409, without a word of which rule; nothing is changed."""
    listed = [client.create("first"), client.create("Desk lamp"), client.create("y")]
    with database_of_client.write() as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX one_of_each ON items (name)")
    _assert_failure(client, method, CONSTRAINT)
    assert client.get("/items").json() == listed


def test_what_is_not_in_the_table_is_a_500_without_driver_text(
    client: ContractClient, database_of_client: Database
) -> None:
    """A table that is gone is nobody's ordinary trouble."""
    with database_of_client.write() as connection:
        connection.exec_driver_sql("DROP TABLE items")
    for method, (path, document) in WRITES.items():
        response = client.request(method, path, json=document)
        assert response.status_code == 500
        assert not DRIVER_TEXT.search(response.text)

"""The engine: SQLite's settings, the creation of the database, and the end of transactions."""

import sqlite3
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, OperationalError

from app.settings import ROOT, Settings
from db.engine import Database
from db.items import ITEMS
from db.resources import ping
from db.sqlite import BUSY_TIMEOUT_MS

PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": BUSY_TIMEOUT_MS}
CREATE = (
    "import sys; from sqlalchemy.engine import make_url; from db.engine import Database; "
    "database = Database(make_url(sys.argv[1])); print('ready', flush=True); input(); "
    "database.create(); database.create()"
)


def _pragma(connection: Connection, name: str) -> object:
    return connection.execute(text(f"PRAGMA {name}")).scalar_one()


@pytest.mark.parametrize("name", PRAGMAS)
def test_pragmas_are_in_force_on_every_connection(database: Database, name: str) -> None:
    """This holds for the first, for parallel and for writing connections, which wait at the beginning only."""
    with ExitStack() as stack:
        connections = [stack.enter_context(database.read()) for _ in range(3)]
        writing = stack.enter_context(database.write())
        assert [_pragma(connection, name) for connection in connections] == [PRAGMAS[name]] * 3
        assert _pragma(writing, name) == (0 if name == "busy_timeout" else PRAGMAS[name])


def test_a_database_opens_nothing_before_its_first_use(tmp_path: Path) -> None:
    """There is neither a file nor a folder."""
    database = Database(make_url(f"sqlite:///{tmp_path}/folder/items.db"))
    assert list(tmp_path.iterdir()) == []
    database.close()


def test_creation_creates_the_folder_and_the_table(tmp_path: Path) -> None:
    """Missing parent folders are created, too."""
    database = Database(make_url(f"sqlite:///{tmp_path}/a/b/items.db"))
    database.create()
    with database.read() as connection:
        ping(connection)
    database.close()
    assert (tmp_path / "a/b/items.db").is_file()


def test_creation_a_second_time_changes_nothing(database: Database) -> None:
    """Existing rows stay."""
    with database.write() as connection:
        item = ITEMS.add(connection, {"name": "x", "description": None})
    database.create()
    with database.read() as connection:
        assert ITEMS.find(connection, item.body["id"]) == item


@pytest.mark.parametrize("attempt", range(3))
def test_eight_processes_create_one_database_at_the_same_time(file: Path, attempt: int) -> None:
    """None of them fails."""
    command = [sys.executable, "-c", CREATE, f"sqlite:///{file}"]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(8)
        ]
        assert [process.stdout.readline() for process in processes if process.stdout] == ["ready\n"] * 8
        for process in processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        ended = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    assert ended == [("", "", 0)] * 8, f"attempt {attempt}"


def test_return_commits(database: Database) -> None:
    """Another connection sees the change."""
    with database.write() as connection:
        item = ITEMS.add(connection, {"name": "x", "description": None})
    with database.read() as connection:
        assert ITEMS.find(connection, item.body["id"]) == item


def test_raise_rolls_back(database: Database) -> None:
    """All changes of the transaction are undone."""
    with database.write() as connection:
        kept = ITEMS.add(connection, {"name": "kept", "description": None})

    def change_and_fail() -> None:
        with database.write() as connection:
            ITEMS.add(connection, {"name": "lost", "description": None})
            ITEMS.change(connection, kept, {"name": "lost"})
            raise RuntimeError("after the statements")

    with pytest.raises(RuntimeError, match="after the statements"):
        change_and_fail()
    with database.read() as connection:
        assert ITEMS.page(connection, "id", {}, None, 10) == [kept.body]


def test_a_failed_statement_rolls_back(database: Database) -> None:
    """It behaves like any other exception."""

    def add_and_break() -> None:
        with database.write() as connection:
            ITEMS.add(connection, {"name": "lost", "description": None})
            ITEMS.add(connection, {"name": "x" * 81, "description": None})

    with pytest.raises(IntegrityError):
        add_and_break()
    with database.read() as connection:
        assert ITEMS.page(connection, "id", {}, None, 10) == []


def test_a_write_holds_the_lock_from_its_beginning(database: Database, file: Path) -> None:
    """BEGIN IMMEDIATE: what the transaction has read cannot change before it writes."""
    other = sqlite3.connect(file, timeout=0, isolation_level=None)
    with database.write() as connection:
        ITEMS.find_for_update(connection, 1)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_a_reader_does_not_wait_for_a_writer(database: Database, settings: Settings) -> None:
    """WAL: it sees the last committed state; the writer sees its own."""
    with database.write() as writing:
        ITEMS.add(writing, {"name": "x", "description": None})
        with Database(settings.database_url).read() as reading:
            assert ITEMS.page(reading, "id", {}, None, 10) == []
        with database.read() as reading:  # within the transaction
            assert len(ITEMS.page(reading, "id", {}, None, 10)) == 1


def test_a_reader_holds_no_lock_when_it_is_done(database: Database, file: Path) -> None:
    """A connection returns to the pool without an open transaction, so a checkpoint can finish."""
    with database.write() as connection:
        ITEMS.add(connection, {"name": "x", "description": None})
    with database.read() as connection:
        ITEMS.page(connection, "id", {}, None, 10)
    other = sqlite3.connect(file, timeout=0)
    assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    other.close()


def test_a_connection_stays_open_for_the_next_request(database: Database) -> None:
    """This also holds after the handler has raised a problem."""
    with pytest.raises(LookupError), database.read() as first:
        raise LookupError
    with database.read() as second:
        assert second is first
    with pytest.raises(LookupError), database.write() as writing:
        raise LookupError
    with database.write() as again:
        assert again is writing


def test_a_connection_is_closed_after_a_database_error(database: Database) -> None:
    """Its state is unknown, so the next one is new."""
    for use in (database.read, database.write):
        with pytest.raises(OperationalError, match="no such table"), use() as connection:
            connection.execute(text("SELECT 1 FROM absent"))
        assert connection.closed
        with use() as another:
            assert ITEMS.page(another, "id", {}, None, 10) == []


def test_a_connection_in_use_is_not_shared(database: Database) -> None:
    """Later requests get the connections that were returned."""
    with database.read() as first, database.read() as second:
        assert first is not second
    with database.read() as third:
        assert third in (first, second)


def test_postgresql_uses_psycopg_3() -> None:
    """No connection is opened."""
    settings = Settings.from_environ({"DATABASE_URL": "postgresql://u:p@h/d"})
    database = Database(settings.database_url)
    assert not database.is_sqlite
    database.close()

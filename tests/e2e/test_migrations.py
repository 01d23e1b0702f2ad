"""Migrations on a real PostgreSQL, and while the service starts on either database."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, NullPool, create_engine, insert, text

from app.settings import Settings
from db import revisions
from db.comparison import differences
from db.engine import Database
from db.migrate import BASE, migrate
from db.revisions import Found
from db.schema import items, metadata
from tests.e2e.postgresql import Cluster, postgresql
from tests.e2e.stack import ROOT, ask, post, service, wait_until
from tests.schema import RELEASE_1_0_0, History, rows, schema

BATCH = """
with op.batch_alter_table("items", table_kwargs={"sqlite_autoincrement": True}) as items:
    items.alter_column("description", type_=sa.String(300, collation="C"))
"""
TIME = "2026-11-23T09:30:00.000000Z"
OLD = {"version": 1, "name": "Größe 😀", "description": "«Brass»", "created_at": TIME, "updated_at": TIME}
"""A row of release 1.0.0, which had no owners."""
COMMAND = "Run: flask --app app db upgrade"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A running cluster; skips if PostgreSQL is not installed."""
    with postgresql() as started:
        yield started


@pytest.fixture
def url(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[URL]:
    """A new database of the cluster."""
    name = f"d{abs(hash(request.node.name))}"
    server = create_engine(_settings(cluster.url), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield _settings(cluster.url).set(database=name)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))


def _settings(url: str) -> URL:
    return Settings.from_environ({"DATABASE_URL": url}).database_url


def _ask(url: URL, question: Callable[..., Any]) -> Any:
    with closing(Database(url)) as database, database.write() as connection:
        return question(connection)


def _environment(url: URL | str, **more: str) -> dict[str, str]:
    text = url if isinstance(url, str) else url.set(drivername="postgresql").render_as_string(hide_password=False)
    return {**os.environ, "DATABASE_URL": text, **more}


def _start(url: URL | str, *command: str) -> "subprocess.CompletedProcess[str]":
    """Try to start the service, which must end by itself."""
    return subprocess.run(
        [sys.executable, "-m", *(command or ["app"])],
        cwd=ROOT,
        env=_environment(url, PORT="0"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_migrations_make_the_tables_of_the_code(url: URL) -> None:
    """Types, collations, CHECK constraints and indexes are those of `metadata.create_all`."""
    migrate(url)
    assert _ask(url, differences) == []
    migrated = _ask(url, schema)
    migrate(url, BASE)
    assert _ask(url, schema) == {}
    _ask(url, metadata.create_all)
    assert _ask(url, schema) == migrated


def test_all_migrations_go_up_down_and_up_again_with_data(
    url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the project, and one that changes a column."""
    history = History(tmp_path)
    monkeypatch.setattr(revisions, "MIGRATIONS", history.folder)
    newest = revisions.newest()
    added = history.add(BATCH, BATCH.replace("300", "200"))
    migrate(url, "0001")
    _ask(url, lambda connection: [connection.execute(insert(items), OLD) for _ in range(3)])
    before = _ask(url, rows)["items"]
    migrate(url, newest)
    expected = _ask(url, schema)
    for revision in (added, newest, "0001", added, newest):
        migrate(url, revision)
        assert _ask(url, revisions.find) == Found(revision)
        assert [row[: len(OLD) + 1] for row in _ask(url, rows)["items"]] == before
    assert _ask(url, schema) == expected


def test_tables_of_release_1_0_0_are_recognised(url: URL) -> None:
    """That release did not record its revision; tables of other programs stay."""
    migrate(url, "0001")
    _ask(url, lambda connection: connection.execute(insert(items), OLD))
    before = _ask(url, rows)
    _ask(url, lambda connection: connection.execute(text("DROP TABLE alembic_version; CREATE TABLE another (x int)")))
    assert _ask(url, revisions.find) == Found("0001", recorded=False)
    migrate(url)
    assert _ask(url, differences) == []
    assert _ask(url, rows)["items"] == [(*row, None) for row in before["items"]]  # it has no owner
    assert _ask(url, rows)["another"] == []


def test_eight_migrations_at_once_make_the_tables_once(url: URL) -> None:
    """One migrates, and the others wait for it."""
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(migrate, url) for _ in range(8)]:
            done.result()
    assert _ask(url, differences) == []


def test_a_migration_that_fails_changes_nothing(url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All migrations are one transaction."""
    migrate(url)
    before = _ask(url, schema)
    history = History(tmp_path)
    monkeypatch.setattr(revisions, "MIGRATIONS", history.folder)
    history.add(f"{BATCH}raise RuntimeError('half done')")
    with pytest.raises(RuntimeError, match="half done"):
        migrate(url)
    assert _ask(url, schema) == before


def _forget(url: URL) -> None:
    _ask(url, lambda connection: connection.execute(text("DROP TABLE alembic_version")))


def _update(url: URL) -> None:
    _ask(url, lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))


@pytest.mark.parametrize("command", [("app",), ("gunicorn", "app:app")], ids=" ".join)
def test_a_start_never_changes_postgresql(url: URL, command: tuple[str, ...]) -> None:
    """A database that is behind, or newer than the code, stops it with one sentence."""
    shown = f"The service cannot start. The database {url.set(drivername='postgresql').render_as_string()}"
    newest = revisions.newest()
    ended = _start(url, *command)
    expected = f"{shown} has no tables of this service, and this release needs {newest}. {COMMAND}\n"
    assert (ended.returncode, ended.stderr[-len(expected) :]) == (1, expected)
    assert _ask(url, schema) == {}
    migrate(url, "0001")
    _forget(url)
    behind = f"{shown} has the tables of release 1.0.0, which recorded no revision, and this release needs {newest}. "
    assert f"{behind}{COMMAND}\n" in _start(url, *command).stderr
    migrate(url)
    _update(url)
    assert f"{shown} is at revision 9999, and this release knows only up to {newest}" in _start(url, *command).stderr


def test_a_worker_of_an_old_release_goes_on(url: URL, tmp_path: Path) -> None:
    """After the database was migrated for a newer one: a worker that is replaced must not stop the others."""
    migrate(url)
    with service(tmp_path, DATABASE_URL=url.render_as_string(hide_password=False)) as running:
        _update(url)
        running.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "The database cannot be used yet: RevisionError" in running.err.read_text(), "new workers")
        assert ask(running.port, "GET", "/items").status == 200


def test_a_database_of_release_1_0_0_is_served(tmp_path: Path) -> None:
    """With its data, and without a question."""
    shutil.copy(RELEASE_1_0_0, tmp_path / "items.db")
    with service(tmp_path) as running:
        listed = ask(running.port, "GET", "/items").json()
        assert [item["id"] for item in listed] == [1, 2, 3, 4, 5]
        assert [item["name"] for item in listed[2:4]] == ["台灯", "😀" * 80]
        assert post(running.port, {"name": "new"}).json()["id"] == 8
    assert {path.name for path in tmp_path.glob("*items*")} == {"items.db"}


@pytest.mark.parametrize("command", [("app",), ("gunicorn", "app:app")], ids=" ".join)
def test_an_sqlite_database_that_is_newer_stops_the_start(tmp_path: Path, command: tuple[str, ...]) -> None:
    """With one sentence."""
    file = tmp_path / "items.db"
    url = f"sqlite:///{file}"
    with closing(Database(_settings(url))) as database:
        database.create()
    _update(_settings(url))
    ended = _start(url, *command)
    assert ended.returncode == 1
    assert ended.stderr.endswith(
        f"The service cannot start. The database {file} is at revision 9999, and this release knows only up to "
        f"{revisions.newest()}: a newer release has changed it. "
        "Start that release, or restore a backup from before the update.\n"
    )

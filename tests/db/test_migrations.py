"""Migrations: models, migrations and databases of earlier releases agree, and SQLite migrates itself at start."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from app.settings import ROOT
from db import revisions
from db.comparison import differences
from db.engine import Database
from db.items import ITEMS
from db.migrate import BASE, migrate
from db.revisions import Found, RevisionError
from db.schema import metadata
from tests.schema import RELEASE_1_0_0, History, rows, schema

REWRITE = """
op.create_table("parts", sa.Column("item_id", sa.Integer, sa.ForeignKey("items.id", ondelete="CASCADE")))
op.execute("INSERT INTO parts VALUES (1), (2)")
with op.batch_alter_table("items", table_kwargs={"sqlite_autoincrement": True}) as items:
    items.alter_column("description", type_=sa.String(300))
"""
REWRITE_BACK = """
with op.batch_alter_table("items", table_kwargs={"sqlite_autoincrement": True}) as items:
    items.alter_column("description", type_=sa.String(200))
op.drop_table("parts")
"""
START = (
    "import sys; from pathlib import Path; from sqlalchemy.engine import make_url; from db import revisions; "
    "from db.engine import Database; revisions.MIGRATIONS = Path(sys.argv[2]); "
    "database = Database(make_url(sys.argv[1])); print('ready', flush=True); input(); database.create()"
)


@pytest.fixture
def old(file: Path) -> URL:
    """The database of release 1.0.0."""
    shutil.copy(RELEASE_1_0_0, file)
    return make_url(f"sqlite:///{file}")


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """The migrations, and those that the test adds."""
    created = History(tmp_path / "history")
    monkeypatch.setattr(revisions, "MIGRATIONS", created.folder)
    return created


def _read(url: URL, ask: Any) -> Any:
    with closing(Database(url)) as database, database.read() as connection:
        return ask(connection)


def _create(url: URL) -> None:
    with closing(Database(url)) as database:
        database.create()


def _sql(file: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def _kept(file: Path) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir() if path.name.startswith((file.name, ".")))


def test_the_history_is_one_line() -> None:
    """Each file begins with its revision, and the revisions sort in the order in which they follow each other."""
    config = Config()
    config.set_main_option("script_location", str(revisions.MIGRATIONS))
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())
    assert [script.revision for script in reversed(scripts)] == revisions.known()
    assert [script.down_revision for script in scripts] == [*revisions.known()[-2::-1], None]
    assert all(Path(script.path).name.startswith(f"{script.revision}_") for script in scripts)


def test_migrations_make_the_tables_of_the_code(database: Database) -> None:
    """Alembic finds no difference, and columns, constraints and indexes equal those of `metadata.create_all`."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        metadata.create_all(connection)
        expected = schema(connection)
    engine.dispose()
    with database.read() as connection:
        assert differences(connection) == []
        assert schema(connection) == expected


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("DROP INDEX items_by_name", "add_index items.items_by_name"),
        ("ALTER TABLE items ADD COLUMN colour VARCHAR", "remove_column items.colour"),
        ("CREATE TABLE others (id INTEGER PRIMARY KEY)", "remove_table others"),
        ("DROP TABLE items", "add_table items"),
        (
            "ALTER TABLE items ADD COLUMN x INTEGER CONSTRAINT positive CHECK (x > 0)",
            "remove_column items.x",
        ),
    ],
)
def test_a_difference_is_found(database: Database, change: str, difference: str) -> None:
    """Tables, columns and indexes."""
    with database.write() as connection:
        connection.execute(text(change))
    with database.read() as connection:
        assert difference in differences(connection)


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        (" AUTOINCREMENT", "", "modify_autoincrement items"),
        ("CONSTRAINT items_id CHECK (id BETWEEN 1 AND 9007199254740991)", "CHECK (1)", "add_constraint items.items_id"),
        ("<= 200", "<= 300", "modify_constraint items.items_description_length"),
        ("name VARCHAR(80) NOT NULL", "name VARCHAR(80)", "modify_nullable items.name"),
        ("name VARCHAR(80)", "name VARCHAR(90)", "modify_type items.name"),
    ],
)
def test_a_difference_within_a_table_is_found(database: Database, old: str, new: str, difference: str) -> None:
    """Constraints, types, and what keeps ids from being assigned twice."""
    with database.write() as connection:
        sql = connection.execute(text("SELECT sql FROM sqlite_schema WHERE name = 'items'")).scalar_one()
        assert sql.count(old) == 1
        connection.execute(text("DROP TABLE items"))
        connection.exec_driver_sql(sql.replace(old, new))
    with database.read() as connection:
        assert difference in differences(connection)


def test_a_database_of_release_1_0_0_opens_with_its_data(old: URL) -> None:
    """All rows are as they were and have no owner, its schema is that of the code, and the next id is new."""
    before = _read(old, rows)
    assert len(before["items"]) == 5
    assert _read(old, revisions.find) == Found("0001", recorded=False)
    _create(old)
    assert _read(old, revisions.find) == Found(revisions.newest())
    assert _read(old, rows)["items"] == [(*row, None) for row in before["items"]]
    assert _read(old, differences) == []
    database = Database(old)
    with database.write() as connection:
        assert ITEMS.add(connection, {"name": "Größer", "description": None}).body["id"] == 8
    database.close()


def test_all_migrations_go_up_down_and_up_again_with_data(old: URL) -> None:
    """From the first release to this one, back and again: the schema is the same, and the items are all there."""
    before = _read(old, rows)["items"]
    _create(old)
    newest = _read(old, schema)
    for revision in reversed(revisions.known()):
        migrate(old, revision)
        assert _read(old, revisions.find) == Found(revision)
        assert len(_read(old, rows)["items"]) == 5
    assert _read(old, rows)["items"] == before
    _create(old)
    assert _read(old, schema) == newest
    assert len(_read(old, rows)["items"]) == 5
    migrate(old, BASE)
    assert (_read(old, schema), _read(old, revisions.find)) == ({}, Found(None))
    _create(old)
    assert _read(old, schema) == newest


def test_a_table_that_is_copied_keeps_everything(old: URL, file: Path, history: History) -> None:
    """Rows of other tables that refer to it, its constraints, its indexes, and the ids that were assigned before."""
    newest = revisions.newest()
    migrate(old, newest)
    before, checks = _read(old, rows)["items"], _read(old, schema)["items"]
    revision = history.add(REWRITE, REWRITE_BACK)
    for target in (revision, newest, revision):
        migrate(old, target)
        assert _read(old, rows)["items"] == before
        found = _read(old, schema)
        assert found["items"]["checks"] == checks["checks"]
        assert found["items"]["indexes"] == checks["indexes"]
        assert "AUTOINCREMENT" in _sql(file, "SELECT sql FROM sqlite_schema WHERE name = 'items'")[0][0]
        assert _sql(file, "SELECT seq FROM sqlite_sequence WHERE name = 'items'") == [(7,)]
        assert target == newest or _read(old, rows)["parts"] == [(1,), (2,)]


def test_a_copy_is_kept_before_a_table_changes(old: URL, file: Path, history: History) -> None:
    """It is the whole database as it was, in one file; a second copy does not replace the first."""
    before = _read(old, rows)
    revision = history.add(REWRITE, REWRITE_BACK)
    _create(old)
    assert _kept(file) == ["items.db", f"items.db.before-{revision}"]
    assert _read(make_url(f"sqlite:///{file}.before-{revision}"), rows)["items"] == before["items"]
    migrate(old, "0001")
    _create(old)
    kept = [f"items.db.before-{name}" for name in ("0001", revision, f"{revision}.2")]
    assert _kept(file) == ["items.db", *kept]


def test_no_copy_is_kept_when_a_migration_only_adds(old: URL, file: Path, history: History) -> None:
    """Tables, columns and indexes; nor for a new database."""
    migrate(old, revisions.newest())
    history.add(
        'op.create_table("others", sa.Column("id", sa.Integer, primary_key=True))\n'
        'op.add_column("items", sa.Column("colour", sa.String(10)))\n'
        'op.create_index("items_by_colour", "items", ["colour"])'
    )
    _create(old)
    assert _kept(file) == ["items.db"]
    history.add(REWRITE_BACK.partition("op.drop_table")[0])
    _create(make_url(f"sqlite:///{file}-new"))
    assert _kept(file) == ["items.db", "items.db-new"]


@pytest.mark.parametrize("failure", ["raise RuntimeError('half done')", "op.execute('SELECT 1 FROM absent')"])
def test_a_migration_that_fails_changes_nothing(old: URL, file: Path, history: History, failure: str) -> None:
    """All migrations are one transaction; no copy is left, however often the service tries to start."""
    before = _read(old, rows), _read(old, schema)
    history.add('op.create_table("others", sa.Column("id", sa.Integer, primary_key=True))')
    history.add(f"{REWRITE}{failure}")
    with pytest.raises((RuntimeError, OperationalError), match=r"half done|no such table: absent"):
        _create(old)
    assert (_read(old, rows), _read(old, schema)) == before
    assert _kept(file) == ["items.db"]


def test_a_migration_may_not_break_references(old: URL, history: History) -> None:
    """Foreign keys are not enforced while a table is copied, so all are checked at the end."""
    history.add(REWRITE)
    history.add("op.execute('DELETE FROM items WHERE id = 2')")
    with pytest.raises(
        RevisionError, match=r"cannot be migrated: a row of parts would refer to a missing row of items"
    ):
        _create(old)
    assert len(_read(old, rows)["items"]) == 5


def test_a_copy_that_cannot_be_written_stops_the_migration(old: URL, file: Path, history: History) -> None:
    """Here a folder has the name of the unfinished copy."""
    revision = history.add(REWRITE)
    (file.parent / f"..{file.name}.before-{revision}.unfinished").mkdir()
    with pytest.raises(IsADirectoryError):
        _create(old)
    assert _read(old, revisions.find) == Found("0001", recorded=False)


def test_a_migration_that_is_killed_changes_nothing(old: URL, file: Path, history: History) -> None:
    """The next start migrates, and there is one copy, however often it was killed."""
    revision = history.add(REWRITE)
    source = history.folder / "versions" / f"{revision}_test.py"
    whole = source.read_text("utf-8")
    source.write_text(
        whole.replace("\n\n\ndef downgrade", "\n    import os; os.kill(os.getpid(), 9)\n\n\ndef downgrade")
    )
    command = [sys.executable, "-c", START, old.render_as_string(), str(history.folder)]
    for _ in range(2):
        done = subprocess.run(command, cwd=ROOT, input="go\n", capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (-9, "")
    assert _read(old, revisions.find) == Found("0001", recorded=False)
    assert len(_read(old, rows)["items"]) == 5
    source.write_text(whole)
    _create(old)
    assert _kept(file) == ["items.db", f"items.db.before-{revision}"]
    assert _read(old, revisions.find) == Found(revision)


def test_eight_starts_at_once_migrate_once(old: URL, file: Path, history: History) -> None:
    """One migrates and the others wait: there is one copy, and no start fails."""
    revision = history.add(REWRITE)
    command = [sys.executable, "-c", START, old.render_as_string(), str(history.folder)]
    options: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with ExitStack() as stack:
        started: list[Any] = [stack.enter_context(subprocess.Popen(command, cwd=ROOT, **options)) for _ in range(8)]
        assert [process.stdout.readline() for process in started] == ["ready\n"] * 8
        for process in started:
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [(*process.communicate(timeout=60), process.returncode) for process in started] == [("", "", 0)] * 8
    assert _kept(file) == ["items.db", f"items.db.before-{revision}"]
    assert _read(old, revisions.find) == Found(revision)


def test_a_start_that_needs_no_migration_does_not_import_alembic(old: URL) -> None:
    """Importing it takes longer than the rest of the check."""
    _create(old)
    script = (
        "import sys; from sqlalchemy.engine import make_url; from db.engine import Database; "
        "Database(make_url(sys.argv[1])).create(); print([name for name in sys.modules if 'alembic' in name])"
    )
    command = [sys.executable, "-c", script, old.render_as_string()]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "[]\n"


NEWER = (
    "is at revision 9999, and this release knows only up to {newest}: a newer release has changed it. "
    "Start that release, or restore a backup from before the update."
)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", NEWER),
        ("INSERT INTO alembic_version VALUES ('9999')", NEWER.replace("9999", "{newest}, 9999")),
        ("DROP TABLE alembic_version; DROP TABLE items; CREATE TABLE notes (x)", "belongs to another program: {it}"),
        (
            "DROP TABLE alembic_version; ALTER TABLE items ADD COLUMN price",
            "has a table items of another program, and no revision.",
        ),
    ],
    ids=["newer", "two", "other tables", "another items"],
)
def test_a_database_that_this_release_does_not_know_stops_the_start(
    database: Database, file: Path, statement: str, message: str
) -> None:
    """Nothing is changed in it."""
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(statement)
    before = _sql(file, "SELECT sql FROM sqlite_schema")
    with pytest.raises(RevisionError) as caught:
        database.create()
    it = "it has tables, but none of this service."
    assert str(caught.value) == message.format(newest=revisions.newest(), it=it)
    assert _sql(file, "SELECT sql FROM sqlite_schema") == before


def test_a_database_whose_tables_were_removed_gets_them_again(database: Database, file: Path) -> None:
    """Alembic's table stays after all migrations have been undone."""
    migrate(make_url(f"sqlite:///{file}"), BASE)

    def is_new(connection: Connection) -> bool:
        return revisions.find(connection) == Found(None)

    assert _read(make_url(f"sqlite:///{file}"), is_new)
    database.create()
    with database.read() as connection:
        assert differences(connection) == []


def test_the_file_of_release_1_0_0_is_as_that_release_left_it(file: Path, old: URL) -> None:
    """It was written by commit 316061c, and nothing may migrate it."""
    assert old.database == str(file)
    assert [name for (name,) in _sql(file, "SELECT name FROM sqlite_schema WHERE type = 'table'")] == [
        "items",
        "sqlite_sequence",
    ]

"""`flask --app app db …`: what each command prints, refuses and keeps."""

import os
import pty
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.commands import database_commands
from app.settings import ROOT, Settings
from db import revisions
from db.engine import Database
from tests.docs.markdown import blocks, read
from tests.schema import RELEASE_1_0_0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database with five items."""
    shutil.copy(RELEASE_1_0_0, tmp_path / "items.db")
    assert _run(tmp_path / "items.db", "upgrade").exit_code == 0
    return tmp_path / "items.db"


@pytest.fixture
def backup(file: Path) -> Path:
    """A backup of it."""
    assert _run(file, "backup", str(file.with_name("backup.db"))).exit_code == 0
    return file.with_name("backup.db")


def _run(file: Path | str, *arguments: str) -> Result:
    url = file if isinstance(file, str) else f"sqlite:///{file}"
    commands = database_commands(Settings.from_environ({"DATABASE_URL": url}).database_url)
    return CliRunner().invoke(commands, arguments, catch_exceptions=False)


def _sql(file: Path, *statements: str) -> list[Any]:
    found: list[Any] = []
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            found = connection.execute(statement).fetchall()
    return found


def _files(file: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in file.parent.iterdir()}


def test_upgrade_creates_the_database_and_its_folder(tmp_path: Path) -> None:
    """A second time, it changes nothing."""
    file = tmp_path / "var" / "items.db"
    for _ in range(2):
        done = _run(file, "upgrade")
        assert (done.exit_code, done.output) == (0, f"The database {file} is at revision {revisions.newest()}.\n")
    assert _sql(file, "SELECT count(*) FROM items") == [(0,)]


def test_a_database_that_is_not_ours_is_not_migrated(tmp_path: Path) -> None:
    """The message is that of the start."""
    file = tmp_path / "notes.db"
    _sql(file, "CREATE TABLE notes (x)")
    done = _run(file, "upgrade")
    assert (done.exit_code, done.output) == (
        1,
        f"Error: The database {file} belongs to another program: it has tables, but none of this service.\n",
    )


def test_downgrade_knows_the_revisions(file: Path) -> None:
    """Others are refused with a list."""
    done = _run(file, "downgrade", "9999")
    assert (done.exit_code, done.output) == (
        1,
        f"Error: There is no revision 9999, only {', '.join(revisions.known())}.\n",
    )


@pytest.mark.parametrize(
    ("statements", "faults"),
    [
        (["UPDATE alembic_version SET version_num = '9999'"], ["revision: the database is at revision 9999, and"]),
        (
            ["DROP TABLE alembic_version"],
            ["revision: the database has a table items of another program, and no revision"],
        ),
        (
            [
                "CREATE TABLE parts (item_id INTEGER REFERENCES items (id))",
                "PRAGMA foreign_keys = OFF",
                "INSERT INTO parts VALUES (99)",
            ],
            ["integrity: row 1 of parts refers to a missing row of items"],
        ),
        (
            ["PRAGMA ignore_check_constraints = ON", "UPDATE items SET name = '' WHERE id = 1"],
            ["integrity: CHECK constraint failed in items"],
        ),
        (
            ["DROP INDEX items_by_name", "ALTER TABLE items ADD COLUMN x"],
            ["tables: add_index", "tables: remove_column"],
        ),
    ],
    ids=["newer", "no revision", "reference", "constraint", "tables"],
)
def test_check_reports_faults(file: Path, statements: list[str], faults: list[str]) -> None:
    """The first kind of fault that it finds, with the exit status 1."""
    _sql(file, *statements)
    done = _run(file, "check")
    first, *lines = done.output.splitlines()
    assert (done.exit_code, first) == (1, f"Error: The database {file} has faults:")
    assert len(lines) == len(faults)
    for line, fault in zip(lines, faults, strict=True):
        assert line.startswith(f"  {fault}")


def test_check_finds_damage(file: Path) -> None:
    """Here a page of the file has zeros."""
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(bytes(4096))
    done = _run(file, "check")
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: The database {file} has faults:\n  integrity: ")


@pytest.mark.parametrize("command", [("check",), ("backup", "x.db")])
def test_a_database_that_is_not_there_is_not_created(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A wrong `DATABASE_URL` is a message, not an empty backup."""
    done = _run(tmp_path / "items.db", *command)
    assert (done.exit_code, done.output) == (1, f"Error: The database file {tmp_path}/items.db does not exist.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_backup_is_one_file_with_everything(file: Path, backup: Path) -> None:
    """It can be opened where nothing can be written: WAL would need two more files."""
    assert _sql(backup, "SELECT * FROM items") == _sql(file, "SELECT * FROM items")
    assert backup.read_bytes()[18:20] == b"\x01\x01", "not WAL (https://sqlite.org/fileformat.html)"
    assert set(_files(file)) == {"items.db", "backup.db"}


def test_a_backup_never_replaces_a_file(file: Path, backup: Path) -> None:
    """Whatever is in it."""
    backup.write_text("mine")
    done = _run(file, "backup", str(backup))
    assert (done.exit_code, done.output) == (
        1,
        f"Error: There is no backup. This file exists already: {backup}\n",
    )
    assert backup.read_text() == "mine"
    assert set(_files(file)) == {"items.db", "backup.db"}


def test_a_damaged_database_has_no_backup(file: Path) -> None:
    """A copy of it would only look like one."""
    _sql(file, "PRAGMA ignore_check_constraints = ON", "UPDATE items SET name = '' WHERE id = 1")
    done = _run(file, "backup", str(file.with_name("backup.db")))
    assert (done.exit_code, done.output) == (
        1,
        "Error: There is no backup. The database is damaged: CHECK constraint failed in items\n",
    )
    assert set(_files(file)) == {"items.db"}


def test_a_backup_that_was_killed_does_not_disturb_the_next(file: Path) -> None:
    """Its unfinished file is replaced."""
    file.with_name(".backup.db.unfinished").write_bytes(b"half a backup" * 1000)
    assert _run(file, "backup", str(file.with_name("backup.db"))).exit_code == 0
    assert set(_files(file)) == {"items.db", "backup.db"}


def test_a_backup_needs_a_folder(file: Path) -> None:
    """The message names the file."""
    done = _run(file, "backup", f"{file.parent}/none/backup.db")
    assert (done.exit_code, done.output) == (
        1,
        f"Error: There is no backup. No such file or directory: {file.parent}/none/.backup.db.unfinished\n",
    )


def _write_garbage(file: Path) -> None:
    file.write_bytes(b"This is not a database. " * 400)


def _break(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096:8192] = bytes(4096)
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_write_garbage, "The database is damaged: file is not a database"),
        (_break, "The database is damaged: "),
        (lambda file: file.write_bytes(b""), "The database {backup} has no tables of this service."),
        (lambda file: _sql(file, "DROP TABLE items"), "The database {backup} has no tables of this service."),
        (
            lambda file: _sql(file, "DROP TABLE items", "DROP TABLE alembic_version", "CREATE TABLE notes (x)"),
            "The database {backup} belongs to another program: ",
        ),
        (
            lambda file: _sql(file, "UPDATE alembic_version SET version_num = '9999'"),
            "The database {backup} is at revision 9999, and this release knows only up to ",
        ),
    ],
    ids=["text", "damaged", "empty", "without items", "another program", "newer"],
)
def test_a_restore_refuses_what_is_not_ours(file: Path, backup: Path, change: Any, reason: str) -> None:
    """Nothing is changed, and nothing is left."""
    change(backup)
    before = _files(file)
    done = _run(file, "restore", str(backup))
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: Nothing was changed. {reason.format(backup=backup)}")
    assert _files(file) == before


def test_a_restore_replaces_the_database_and_keeps_it(file: Path, backup: Path) -> None:
    """The old one is a whole database beside it, also the second time."""
    file.chmod(0o640)
    for name in ("items.db.before-restore", "items.db.before-restore.2"):
        _sql(file, "DELETE FROM items WHERE id > 1")
        done = _run(file, "restore", str(backup))
        kept = file.with_name(name)
        assert (done.exit_code, done.output) == (
            0,
            f"{file} has the database of {backup} now.\nThe database before is {kept}.\n",
        )
        assert _sql(file, "SELECT count(*) FROM items") == [(5,)]
        assert _sql(kept, "SELECT count(*) FROM items") == [(1,)]
        assert file.stat().st_mode & 0o777 == 0o640


def test_a_restore_needs_no_database_before(file: Path, backup: Path) -> None:
    """On a new machine, there is none."""
    other = file.parent / "new" / "items.db"
    done = _run(other, "restore", str(backup))
    assert (done.exit_code, done.output) == (0, f"{other} has the database of {backup} now.\n")
    assert _sql(other, "SELECT count(*) FROM items") == [(5,)]


def test_a_restore_replaces_a_damaged_database(file: Path, backup: Path) -> None:
    """Its content does not matter."""
    _write_garbage(file)
    assert _run(file, "restore", str(backup)).exit_code == 0
    assert _sql(file, "SELECT count(*) FROM items") == [(5,)]
    assert set(_files(file)) == {"items.db", "backup.db", "items.db.before-restore"}


def test_a_restore_moves_the_files_beside_the_database(
    file: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If they could not be merged: the WAL of the old database would damage the restored one."""
    monkeypatch.setattr("db.restore._merge_wal", lambda _: None)
    for suffix in ("-wal", "-shm"):
        file.with_name(f"items.db{suffix}").write_text("old")
    assert _run(file, "restore", str(backup)).exit_code == 0
    kept = "items.db.before-restore"
    assert set(_files(file)) == {"items.db", "backup.db", kept, f"{kept}-wal", f"{kept}-shm"}


def test_a_restore_is_refused_while_a_process_has_the_database_open(file: Path, backup: Path) -> None:
    """Also if it does nothing at the moment."""
    script = (
        "import sys; from sqlalchemy.engine import make_url; from db.engine import Database; "
        "database = Database(make_url(sys.argv[1])); database.create(); print('open', flush=True); input()"
    )
    command = [sys.executable, "-c", script, f"sqlite:///{file}"]
    options: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **options) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        done = _run(file, "restore", str(backup))
        process.communicate("\n", timeout=60)
    assert (done.exit_code, done.output) == (
        1,
        f"Error: {file} is in use. Stop the service first. Nothing was changed.\n",
    )
    assert not file.with_name("items.db.before-restore").exists()
    assert _run(file, "restore", str(backup)).exit_code == 0


def test_a_backup_of_release_1_0_0_can_be_restored(file: Path) -> None:
    """The next start migrates it."""
    old = file.with_name("old.db")
    shutil.copy(RELEASE_1_0_0, old)
    assert _run(file, "restore", str(old)).exit_code == 0
    database = Database(Settings.from_environ({"DATABASE_URL": f"sqlite:///{file}"}).database_url)
    database.create()
    database.close()
    assert _run(file, "check").exit_code == 0


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_postgresql_has_its_own_tools(tmp_path: Path, command: str) -> None:
    """The message has the command of docs/backup.md, without the password."""
    (tmp_path / "backup.dump").touch()
    url = "postgresql://items:secret@127.0.0.1/items"
    done = _run(url, command, str(tmp_path / "backup.dump"))
    assert done.exit_code == 1
    *_, documented = blocks(read("docs/backup.md"), "sh")
    line = {"backup": 0, "restore": 1}[command]
    expected = documented.splitlines()[line].replace("backup.dump", f"{tmp_path}/backup.dump")
    assert done.output.replace("items:***@", "items@") == f"Error: This database is on PostgreSQL. Run: {expected}\n"


def test_a_terminal_shows_the_progress(file: Path) -> None:
    """A bar up to 100 %."""
    master, terminal = pty.openpty()
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{file}", "TERM": "xterm"}
    command = [sys.executable, "-m", "flask", "--app", "app", "db", "backup", str(file.with_name("new.db"))]
    done = subprocess.run(command, cwd=ROOT, env=environment, stderr=terminal, stdout=subprocess.DEVNULL, check=True)
    os.close(terminal)
    printed = os.read(master, 65536).decode()
    os.close(master)
    assert done.returncode == 0
    assert re.search(r"Copying  \[#+\]  100%", printed)

"""docs/database.md: a copy can be served, and the commands for updates and checks work on a database in use."""

import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from db import revisions
from tests.docs.markdown import blocks, read
from tests.e2e.stack import ROOT, ask, post, service
from tests.schema import RELEASE_1_0_0

SERVE, DOWNGRADE, CHECK = blocks(read("docs/database.md"), "sh")


def run(command: str, folder: Path, *, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run commands of a page in the folder of a service, with the Python that runs the tests and the code here."""
    assert command.replace('"$(date', "").count(".venv/bin/") == len(
        re.findall(r"\.venv/bin/flask --app app (?:db|keys|owners) ", command)
    )
    command = re.sub(r"\.venv/bin/flask --app app", f"{shlex.quote(sys.executable)} -m flask --app {ROOT}/app", command)
    script = f"export DATABASE_URL=sqlite:///{folder}/var/items.db\n{command}"
    bash = ["bash", "-euc", script]
    return subprocess.run(bash, cwd=folder, timeout=60, check=check, capture_output=True, text=True)


def test_a_copy_can_be_served(tmp_path: Path) -> None:
    """With the setting of the page, here for a copy after a clean stop."""
    var = tmp_path / "var"
    var.mkdir()
    with service(var) as running:
        assert post(running.port, {"name": "first"}).status == 201
    assert {path.name for path in var.iterdir()} - {"gunicorn.out", "gunicorn.err"} == {"items.db"}
    shutil.copy(var / "items.db", var / "backup.db")
    found = re.fullmatch(r"DATABASE_URL=sqlite:///var/(backup\.db) PORT=8001 make run\n", SERVE)
    assert found
    with service(var, DATABASE_URL=f"sqlite:///{var}/{found[1]}") as running:
        assert [item["name"] for item in ask(running.port, "GET", "/items").json()] == ["first"]


def test_the_check_finds_what_is_wrong_while_the_service_runs(tmp_path: Path) -> None:
    """The exit status says it, too."""
    var = tmp_path / "var"
    var.mkdir()
    with service(var):
        done = run(CHECK, tmp_path)
        assert done.stdout == f"The database {var}/items.db is in order: revision {revisions.newest()}.\n"
        with closing(sqlite3.connect(var / "items.db")) as connection:
            connection.execute("DROP INDEX items_by_name")
        done = run(CHECK, tmp_path, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"Error: The database {var}/items.db has faults:\n  tables: add_index items.items_by_name\n"
        )


def test_migrations_can_be_undone(tmp_path: Path) -> None:
    """To the revision of an older release, with the data."""
    (tmp_path / "var").mkdir()
    shutil.copy(RELEASE_1_0_0, tmp_path / "var" / "items.db")
    for _ in range(2):
        done = run(DOWNGRADE, tmp_path)
        assert done.stdout == f"The database {tmp_path}/var/items.db is at revision 0001.\n"
    with closing(sqlite3.connect(tmp_path / "var" / "items.db")) as connection:
        assert connection.execute("SELECT count(*) FROM items").fetchone() == (5,)

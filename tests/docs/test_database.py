"""docs/database.md: its commands copy a database that is being served, completely, and the copy can be served."""

import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.docs.markdown import blocks, read
from tests.e2e.stack import post, service

COPIES = [block for block in blocks(read("docs/database.md"), "sh") if "VACUUM INTO" in block]
(REPLACE,) = [block for block in blocks(read("docs/database.md"), "sh") if block.startswith("rm ")]


def _run(command: str, folder: Path) -> None:
    """Run a command of the page in the folder of a service, with the Python that runs the tests."""
    command = re.sub(r"^\.venv/bin/python\b", shlex.quote(sys.executable), command)
    subprocess.run(["bash", "-euc", command], cwd=folder, timeout=30, check=True)


def _names(file: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM items ORDER BY id")]


def test_there_are_two_ways_to_copy() -> None:
    """One with the program sqlite3, one without."""
    assert [re.match(r"\S+", command)[0] for command in COPIES] == ["sqlite3", ".venv/bin/python"]  # type: ignore[index]


@pytest.mark.parametrize("command", COPIES, ids=["sqlite3", "python"])
def test_a_copy_of_a_served_database_is_complete(command: str, tmp_path: Path) -> None:
    """`items.db` alone would have no rows; the copy has all, in one file, and replaces the database as shown."""
    if command.startswith("sqlite3") and shutil.which("sqlite3") is None:
        pytest.skip("sqlite3 is not installed (apt-get install sqlite3)")
    var = tmp_path / "var"
    var.mkdir()
    with service(var) as running:
        for name in ("first", "second"):
            assert post(running.port, {"name": name}).status == 201
        _run(command, tmp_path)
        assert _names(var / "copy.db") == ["first", "second"]
        assert post(running.port, {"name": "after the copy"}).status == 201
    assert {path.name for path in var.iterdir()} - {"gunicorn.out", "gunicorn.err"} == {"items.db", "copy.db"}
    _run(REPLACE, tmp_path)
    assert {path.name for path in var.iterdir()} - {"gunicorn.out", "gunicorn.err"} == {"items.db"}
    with service(var) as running:
        assert post(running.port, {"name": "third"}).status == 201
    assert _names(var / "items.db") == ["first", "second", "third"]

"""docs/backup.md: its commands back up a database that is being written to, and restore it."""

import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import Event

from tests.docs.markdown import blocks, read
from tests.docs.test_database import run
from tests.e2e.stack import ask, post, service

BACKUP, BACKUP_WITH_TIME, RESTORE, COMPOSE_BACKUP, COMPOSE_RESTORE, POSTGRESQL = blocks(read("docs/backup.md"), "sh")


def _names(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM items ORDER BY id")]


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"gunicorn.out", "gunicorn.err"}


def test_a_backup_of_a_served_database_is_restored(tmp_path: Path) -> None:
    """As the page says: back up while serving, stop, restore, start."""
    var = tmp_path / "var"
    var.mkdir()
    with service(var) as running:
        for name in ("Schreibtischlampe, Größe 3", "台灯"):
            assert post(running.port, {"name": name}).status == 201
        done = run(BACKUP, tmp_path)
        assert done.stdout == f"var/backup.db has the database {var}/items.db now, and was verified.\n"
        assert done.stderr == "", "no progress bar outside of a terminal"
        assert _names(var / "backup.db") == ["Schreibtischlampe, Größe 3", "台灯"]
        assert run(BACKUP, tmp_path, check=False).returncode == 1
        assert post(running.port, {"name": "after the backup"}).status == 201
        refused = run(RESTORE, tmp_path, check=False)
        assert refused.returncode == 1
        assert refused.stderr == f"Error: {var}/items.db is in use. Stop the service first. Nothing was changed.\n"
        assert len(ask(running.port, "GET", "/items").json()) == 3
    assert _files(var) == {"items.db", "backup.db"}
    done = run(RESTORE, tmp_path)
    assert done.stdout == (
        f"{var}/items.db has the database of var/backup.db now.\n"
        f"The database before is {var}/items.db.before-restore.\n"
    )
    assert "`var/items.db.before-restore`" in read("docs/backup.md")
    with service(var) as running:
        listed = ask(running.port, "GET", "/items").json()
        assert [item["name"] for item in listed] == ["Schreibtischlampe, Größe 3", "台灯"]
        assert post(running.port, {"name": "third"}).json()["id"] == 3
    assert _names(var / "items.db.before-restore")[-1] == "after the backup"
    assert _files(var) == {"items.db", "backup.db", "items.db.before-restore"}


def test_a_backup_is_one_moment_of_a_database_that_is_written_to(tmp_path: Path) -> None:
    """It has the first items without a gap, and every item that was acknowledged before it began."""
    var = tmp_path / "var"
    var.mkdir()
    done, numbers = Event(), count()
    with service(var) as running, ThreadPoolExecutor(4) as pool:

        def write() -> int:
            written = 0
            while not done.is_set():
                assert post(running.port, {"name": f"item {next(numbers)}", "description": "x" * 200}).status == 201
                written += 1
            return written

        for _ in range(50):
            assert post(running.port, {"name": "before"}).status == 201
        clients = [pool.submit(write) for _ in range(4)]
        try:
            for _ in range(3):
                run(BACKUP_WITH_TIME.replace('%S.db"', '%S-%N.db"'), tmp_path)
        finally:
            done.set()
        acknowledged = 50 + sum(client.result() for client in clients)
    backups = sorted(var.glob("backup-*.db"))
    lengths = []
    for file in backups:
        with closing(sqlite3.connect(file)) as connection:
            ids = [number for (number,) in connection.execute("SELECT id FROM items ORDER BY id")]
            assert ids == list(range(1, len(ids) + 1))
            lengths.append(len(ids))
    assert 50 <= lengths[0] <= lengths[1] <= lengths[2] <= acknowledged
    assert _files(var) == {"items.db", *(file.name for file in backups)}


def test_the_commands_for_containers_use_the_same_commands() -> None:
    """tests/e2e/test_compose.py runs them."""
    commands = re.findall(r"web web\.py db (\w+) (\S+)", COMPOSE_BACKUP + COMPOSE_RESTORE)
    assert commands == [("backup", "/data/backup.db"), ("restore", "/data/backup.db")]

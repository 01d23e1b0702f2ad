"""What the figures rely on: how peers run statements, how durable their writes are, and the slow disk."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import ROOT
from benchmarks import slow_disk
from benchmarks.data import DISK, MEMORY, is_durable

PRAGMAS = """
from benchmarks.peers import core
for borrow in (core.read, core.write):
    with borrow() as connection:
        for pragma in ("synchronous", "journal_mode"):
            print(connection.exec_driver_sql(f"PRAGMA {pragma}").scalar())
"""
STATEMENTS = """
from benchmarks.peers import core
from db.prepared import Prepared
print(Prepared.execute is core.through_sqlalchemy)
"""
FSYNC = """
import os, sys, time
file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
began = time.perf_counter()
os.fsync(file)
os.fdatasync(file)
print(time.perf_counter() - began)
"""


def run(program: str, *arguments: str, **environment: str) -> list[str]:
    """Run a Python program and return the lines that it prints."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True, capture_output=True, text=True)
    return done.stdout.split()


@pytest.mark.parametrize("connections", ["", "kept"])
@pytest.mark.parametrize(("synchronous", "number"), [("FULL", "2"), ("OFF", "0")])
def test_peers_are_as_durable_as_they_are_told(tmp_path: Path, connections: str, synchronous: str, number: str) -> None:
    """Both when they read and when they write, in WAL mode."""
    url = f"sqlite:///{tmp_path}/items.db"
    found = run(PRAGMAS, DATABASE_URL=url, CONNECTIONS=connections, SYNCHRONOUS=synchronous)
    assert found == [number, "wal"] * 2


@pytest.mark.parametrize(("statements", "through_sqlalchemy"), [("", "True"), ("prepared", "False")])
def test_sqlalchemy_runs_the_statements_of_peers(tmp_path: Path, statements: str, through_sqlalchemy: str) -> None:
    """In the way of the service only if a peer is told so."""
    found = run(STATEMENTS, DATABASE_URL=f"sqlite:///{tmp_path}/items.db", STATEMENTS=statements)
    assert found == [through_sqlalchemy]


def test_a_write_is_durable_only_on_a_disk() -> None:
    """A database in memory does not survive."""
    assert is_durable(DISK / "bench-1" / "items.sqlite")
    assert not is_durable(MEMORY / "bench-1" / "items.sqlite")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_the_slow_disk_delays_both_ways_to_flush_a_file(tmp_path: Path) -> None:
    """By 5 ms each."""
    library = slow_disk.build(tmp_path)
    [seconds] = run(FSYNC, str(tmp_path / "file"), LD_PRELOAD=str(library))
    assert float(seconds) >= 0.010

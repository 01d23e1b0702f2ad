"""Records the service under strace: starts it without a database, runs clients, kills it, starts it again, stops it.

A recording is a folder: `trace-1` and `trace-2` from strace, `requests.json` from the clients, and the database as the
service left it each time (`left-1`, `left-2`); also the database that it has found, if any (`initial`), and migrations
other than its own (`migrations`).
"""

import http.client
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.settings import ROOT
from tools.powercut import migration
from tools.powercut.clients import Client, run_together, save

DATABASE = "items.db"
INITIAL, MIGRATIONS = "initial", "migrations"
STARTS = (1, 2)
CLIENTS = 8
SMALL_CHECKPOINT = {"wal_autocheckpoint": "100"}
"""Pages after which a checkpoint begins, for the second start; the first has the default, 1000."""
_CALLS = (
    "mkdir,openat,creat,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendfile,copy_file_range,fallocate,ftruncate,"
    "truncate,fsync,fdatasync,unlink,unlinkat,rename,renameat,renameat2,link,linkat,clone,clone3,fork,vfork"
)
_LONGEST = 1 << 20  # bytes of a write that strace prints in full
_SECONDS = 60


class RecordingError(Exception):
    """The service could not be recorded."""


@dataclass(frozen=True)
class Plan:
    """What is recorded: `requests` in all, of clients that `seed` decides; `pragmas` that the service does not set.

    The first start finds a copy of `database`, such as one of an earlier release; or none, in a folder to be made.
    With `rewrites`, it has one more migration, which rewrites the table of items.
    """

    seed: int
    requests: int
    pragmas: Mapping[str, str]
    database: Path | None = None
    rewrites: bool = False


def record(folder: Path, plan: Plan) -> None:
    """Make a recording in an empty folder. Raise `RecordingError`."""
    folder = folder.resolve()  # as strace prints it
    if shutil.which("strace") is None:
        raise RecordingError("strace is not installed (on Debian: sudo apt-get install strace).")
    if plan.database:
        for name in ("data", INITIAL):
            (folder / name).mkdir()
            shutil.copy(plan.database, folder / name / DATABASE)
    if plan.rewrites:
        migration.with_rewrite(folder / MIGRATIONS)
    clients = [Client(number, random.Random(f"{plan.seed}-{number}")) for number in range(CLIENTS)]
    for start in STARTS:
        pragmas = {**(SMALL_CHECKPOINT if start > 1 else {}), **plan.pragmas}
        with _service(folder, start, pragmas) as (pid, port):
            _load(clients, port, plan.requests // len(STARTS))
            if start == 1:
                _kill(pid)
            else:
                os.kill(pid, signal.SIGTERM)
        shutil.copytree(folder / "data", folder / f"left-{start}")
    save(folder / "requests.json", [request for client in clients for request in client.requests])


def _load(clients: Sequence[Client], port: int, requests: int) -> None:
    """Send a fifth of the requests from one client alone, the others from all at the same time."""
    clients[0].run(port, requests // 5)
    run_together(clients, port, (requests - requests // 5) // len(clients))


@contextmanager
def _service(folder: Path, start: int, pragmas: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Run the service under strace until it ends by itself. The values are its process id and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-xx", "-s", str(_LONGEST), "-e", f"trace={_CALLS}"]
    command += ["-e", "signal=none", "-o", str(folder / f"trace-{start}")]
    command += [sys.executable, "-m", "tools.powercut.service", *(f"{name}={value}" for name, value in pragmas.items())]
    if (folder / MIGRATIONS).exists():
        command += ["--migrations", str(folder / MIGRATIONS)]
    environ = os.environ | {
        "DATABASE_URL": f"sqlite:///{folder}/data/{DATABASE}",
        "PORT": str(port),
        "ACCESS_LOG": "off",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    log = folder / f"log-{start}"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=output, stderr=output)  # noqa: S603 -- our own
    try:
        _wait_until_ready(process, port, log)
        (pid,) = _children(process.pid)
        yield pid, port
        process.wait(_SECONDS)
    finally:
        if process.poll() is None:
            for pid in _children(process.pid):
                _kill(pid)
            process.wait(_SECONDS)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _SECONDS
    while not _ready(port):
        if process.poll() is not None or time.monotonic() > end:
            raise RecordingError(f"The service does not start under strace:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _kill(pid: int) -> None:
    """Kill a process and its children."""
    for one in (pid, *_children(pid)):
        os.kill(one, signal.SIGKILL)

"""A server under measurement: starts it, waits for it, reads its process tree from /proc, and stops it."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from app.settings import Settings
from benchmarks.client import request
from benchmarks.data import is_durable
from benchmarks.registry import CHECKOUT, Contestant

WORKERS = 2
HOST = "127.0.0.1"
START_LIMIT = 60.0
STOP_LIMIT = 30.0
TICKS = os.sysconf("SC_CLK_TCK")
# So that everything has its default, whatever the variables of the caller are.
SETTINGS = {setting.name.upper() for setting in fields(Settings)} | {"GUNICORN_CMD_ARGS"}
TAIL = 4000


class Server:
    """A command that serves HTTP, with all of its child processes, as a context manager.

    When the context is entered, the server has started and has sent 200 for `ready`. `seconds_to_start` is the time
    until then. Its output goes to a pipe, which is read, as in a container.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        port: int,
        environment: Mapping[str, str],
        folder: Path = CHECKOUT,
    ) -> None:
        self.name = name
        self.command = command
        self.port = port
        self.environment = environment
        self.folder = folder
        self.output = b""
        self.seconds_to_start = 0.0

    def __enter__(self) -> Self:
        began = time.perf_counter()
        inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        self.process = subprocess.Popen(  # noqa: S603 - the command is our own
            self.command,
            cwd=self.folder,
            env={**inherited, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self.process.stdout
        self.reader = threading.Thread(target=self._read, args=[self.process.stdout], daemon=True)
        self.reader.start()
        while not self._is_ready():
            if self.process.poll() is not None or time.perf_counter() - began > START_LIMIT:
                self._stop()
                raise RuntimeError(f"{self.name} did not start:\n{self.output.decode(errors='replace')}")
            time.sleep(0.002)
        self.seconds_to_start = time.perf_counter() - began
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _is_ready(self) -> bool:
        try:
            return request(self.port, "GET", "/items/1").status == HTTPStatus.OK
        except (OSError, HTTPException):
            return False

    def _stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.reader.join()

    def _read(self, pipe: IO[bytes]) -> None:
        """Read everything, and keep the end for an error message."""
        with pipe:
            while chunk := os.read(pipe.fileno(), 1 << 16):
                self.output = (self.output + chunk)[-TAIL:]

    def cpu_seconds(self) -> float:
        """Return user and system time of the tree so far, with that of finished children."""
        return sum(_cpu_ticks(pid) for pid in tree(self.process.pid)) / TICKS

    def memory(self) -> int:
        """Return the bytes of the tree: proportional set size, so that shared pages count once."""
        return sum(pss(pid) for pid in tree(self.process.pid))

    def workers(self) -> list[int]:
        """Return the ids of the processes below the first."""
        return tree(self.process.pid)[1:]


def serve(
    contestant: Contestant, database: Path, workers: int = WORKERS, environment: Mapping[str, str] | None = None
) -> Server:
    """Run a contestant on a free port of the loopback interface.

    A write is durable if the database is on a disk. In memory, the peers do not ask for durability; the service has no
    setting for that.
    """
    port = free_port()
    listen = {"HOST": HOST, "PORT": str(port), "WEB_CONCURRENCY": str(workers)}
    granian = {"GRANIAN_HOST": HOST, "GRANIAN_PORT": str(port), "GRANIAN_WORKERS": str(workers)}
    variables = {
        "DATABASE_URL": f"sqlite:///{database}",
        **listen,
        **granian,
        "SYNCHRONOUS": "FULL" if is_durable(database) else "OFF",
        **contestant.environment,
        **(environment or {}),
    }
    return Server(contestant.key, [sys.executable, *contestant.command], port, variables, contestant.folder)


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def tree(root: int) -> list[int]:
    """Return the ids of a process and of all its descendants, itself first."""
    found = [root]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended: it has no children
                found += map(int, (task / "children").read_text().split())
    return found


def _cpu_ticks(pid: int) -> int:
    """Return utime, stime, cutime and cstime of proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def pss(pid: int) -> int:
    """Return the proportional set size of a process in bytes, see proc_pid_smaps(5)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no Pss in smaps_rollup of {pid}")

"""A server under measurement: starts it, waits for it, reads its process tree from /proc, and stops it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.client import request
from benchmarks.data import SCRATCH
from benchmarks.registry import Contestant

CHECKOUT = Path(__file__).parent.parent
WORKERS = 2
HOST = "127.0.0.1"
START_LIMIT = 60.0
STOP_LIMIT = 30.0
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A command that serves HTTP, with all of its child processes, as a context manager.

    When the context is entered, the server has started and has sent 200 for `ready`. `seconds_to_start` is the time
    until then.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        port: int,
        environment: Mapping[str, str],
        ready: str = "/items/1",
    ) -> None:
        self.name = name
        self.command = command
        self.port = port
        self.environment = environment
        self.ready = ready
        self.log = SCRATCH / f"{name}.log"
        self.seconds_to_start = 0.0

    def __enter__(self) -> Self:
        began = time.perf_counter()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - the command is our own
                self.command,
                cwd=CHECKOUT,
                env=os.environ | self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        while not self._is_ready():
            if self.process.poll() is not None or time.perf_counter() - began > START_LIMIT:
                self._stop()
                raise RuntimeError(f"{self.name} did not start:\n{self.log.read_text()[-4000:]}")
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
            return request(self.port, "GET", self.ready).status == HTTPStatus.OK
        except (OSError, HTTPException):
            return False

    def _stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def cpu_seconds(self) -> float:
        """Return user and system time of the tree so far, with that of finished children."""
        return sum(_cpu_ticks(pid) for pid in tree(self.process.pid)) / TICKS

    def memory(self) -> int:
        """Return the bytes of the tree: proportional set size, so that shared pages count once."""
        return sum(pss(pid) for pid in tree(self.process.pid))

    def workers(self) -> list[int]:
        """Return the ids of the processes below the first."""
        return tree(self.process.pid)[1:]


def serve(contestant: Contestant, database: Path, workers: int = WORKERS) -> Server:
    """Run a contestant with Gunicorn on a free port of the loopback interface."""
    port = free_port()
    environment = {
        "DATABASE_URL": f"sqlite:///{database}",
        "HOST": HOST,
        "PORT": str(port),
        "WEB_CONCURRENCY": str(workers),
        "LOG_LEVEL": "warning",
        "ACCESS_LOG": "off",
        **contestant.environment,
    }
    command = [sys.executable, "-m", "gunicorn", contestant.app]
    if contestant.worker_class:
        command += ["--config", "python:benchmarks.peers.gunicorn_conf"]
        environment["WORKER_CLASS"] = contestant.worker_class
    return Server(contestant.key, command, port, environment)


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

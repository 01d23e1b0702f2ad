"""A limited load on the loopback interface, generated with wrk."""

import argparse
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.server import HOST, Server

SCRIPT = Path(__file__).with_name("wrk.lua")
CONNECTIONS = 16
WARM_UP = 1
ROUNDS = 2
SECONDS = 3


@dataclass(frozen=True)
class Request:
    """A request that is sent repeatedly. `{id}` in the path is chosen from `ids` each time."""

    method: str
    path: str
    ids: range = range(1, 2)
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def url(self) -> str:
        """Return the path with the first of the ids."""
        return self.path.replace("{id}", str(self.ids[0]))


@dataclass(frozen=True)
class Sample:
    """The figures of one load.

    `cpu` is that of the loaded server and `behind` that of the server behind it, in µs per request. `p50` and `p99` are
    in µs.
    """

    requests: int
    cpu: float
    behind: float
    per_second: float
    p50: float
    p99: float


def parser(
    module: str, description: str | None, rounds: int = ROUNDS, seconds: int = SECONDS
) -> argparse.ArgumentParser:
    """Create a parser with the options of all measurements in rounds."""
    options = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    options.add_argument("--rounds", type=int, default=rounds, help="how often everything is measured")
    options.add_argument("--seconds", type=int, default=seconds, help="how long each load lasts")
    return options


def measure(
    server: Server,
    request: Request,
    seconds: int,
    *,
    refused: bool = False,
    behind: Server | None = None,
    connections: int = CONNECTIONS,
) -> Sample:
    """Call `run()` after a second of warm-up."""
    run(server, request, WARM_UP, refused=refused, connections=connections)
    return run(server, request, seconds, refused=refused, behind=behind, connections=connections)


def run(
    server: Server,
    request: Request,
    seconds: int,
    *,
    refused: bool = False,
    behind: Server | None = None,
    connections: int = CONNECTIONS,
) -> Sample:
    """Send the request as fast as possible.

    Raises RuntimeError if a response is missing, if a status is above 399 although `refused` is false, or if one is not
    although `refused` is true.
    """
    arguments = [request.method, request.path, str(request.ids[0]), str(request.ids[-1]), request.body]
    for pair in request.headers.items():
        arguments += pair
    before = _cpu(server), _cpu(behind)
    figures = wrk(server, SCRIPT, arguments, seconds, connections)
    after = _cpu(server), _cpu(behind)
    count = figures["requests"]
    if not count or figures["failed"] or figures["refused"] != (count if refused else 0):
        raise RuntimeError(f"{server.name}: {request.method} {request.path}: {figures}")
    return Sample(
        requests=count,
        cpu=(after[0] - before[0]) / count * 1e6,
        behind=(after[1] - before[1]) / count * 1e6,
        per_second=count / figures["microseconds"] * 1e6,
        p50=figures["p50"],
        p99=figures["p99"],
    )


def wrk(
    server: Server, script: Path, arguments: Sequence[str], seconds: int, connections: int, threads: int = 1
) -> dict[str, Any]:
    """Run wrk with a Lua script, and return the JSON that the script prints at the end."""
    command = ["wrk", f"--threads={threads}", f"--connections={connections}", f"--duration={seconds}s"]
    command += ["--timeout=10s", f"--script={script}", f"http://{HOST}:{server.port}", "--", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - the command is our own
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _cpu(server: Server | None) -> float:
    return server.cpu_seconds() if server else 0.0

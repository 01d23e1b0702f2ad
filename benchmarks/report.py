"""The figures and their reports."""

import os
import platform
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks import base, targets
from benchmarks.load import CONNECTIONS, Sample
from benchmarks.registry import SERVICE, Contestant
from benchmarks.scenarios import Scenario
from benchmarks.server import WORKERS

FOLDER = Path(__file__).parent
PACKAGES = ("gunicorn", "gunicorn_h1c", "uvloop", "connexion", "Flask", "SQLAlchemy", "orjson", "jsonschema_rs")
TARGETS = targets.AT_MOST | targets.AT_LEAST
PEERS_PACKAGES = (
    "Flask-SQLAlchemy",
    "fastapi",
    "pydantic",
    "starlette",
    "litestar",
    "msgspec",
    "blacksheep",
    "granian",
)


@dataclass(frozen=True)
class Figures:
    """The measured figures by contestant and scenario, one entry per round."""

    samples: defaultdict[tuple[str, str, int], list[Sample]] = field(default_factory=lambda: defaultdict(list))
    starts: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    memory: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def cpu(self, contestant: Contestant, scenario: Scenario, connections: int = CONNECTIONS) -> float | None:
        """Return the smallest CPU per request of all rounds in µs; None if it was not measured."""
        samples = self.samples.get((contestant.key, scenario.key, connections))
        return min(sample.cpu for sample in samples) if samples else None

    def ratio(self, contestant: Contestant, scenario: Scenario) -> float | None:
        """Return the CPU per request divided by that of the service: the median of the ratios in each round."""
        samples, own = (self.samples.get((one.key, scenario.key, CONNECTIONS)) for one in (contestant, SERVICE))
        if not samples or not own:
            return None
        return median(sample.cpu / mine.cpu for sample, mine in zip(samples, own, strict=True))


def render(
    figures: Figures,
    contestants: Sequence[Contestant],
    scenarios: Sequence[Scenario],
    rounds: int,
    seconds: int,
) -> str:
    """Return the report of a run in Markdown."""
    sections = [
        "# What a request costs",
        HOW.format(workers=WORKERS, connections=CONNECTIONS, rounds=rounds, seconds=seconds),
        provenance(*PEERS_PACKAGES),
        "![Server CPU per request](cpu-per-request.svg)",
        "## Targets",
        _targets(figures, scenarios),
        "## CPU per request, µs",
        table(
            ["", *(scenario.title for scenario in scenarios)],
            ([one.label, *(_number(figures.cpu(one, scenario)) for scenario in scenarios)] for one in contestants),
        ),
        "## CPU per request, times the service's",
        table(
            ["", *(scenario.title for scenario in scenarios)],
            ([one.label, *(_number(figures.ratio(one, scenario), 2) for scenario in scenarios)] for one in contestants),
        ),
    ]
    for scenario in scenarios:
        for connections in scenario.connections:
            title = f"## {scenario.title}, {connections} connections"
            sections += [title, _scenario(figures, contestants, scenario, connections)]
    sections += ["## Memory and start", _processes(figures, contestants)]
    return "\n\n".join(sections)


HOW = """\
The service with all features (ETag, request id, validation of every response, problem details, access log) and its
peers, which do less: see [README.md](README.md). Everything runs with its default settings, and {workers} workers: the
service as `make run` starts it, with its access log on a pipe that is read; Gunicorn and Granian have no access log by
default, so the peers log nothing. In each of {rounds} rounds, all start with new data. Their responses are checked, and
then they are loaded in turn on the loopback interface over {connections} connections, and also over more where a table
says so, for {seconds} s per figure and round. *CPU* is user and system time of the whole process tree divided by the
number of responses, the smallest of all rounds; everything else is the median, and ratios are the median of the ratios
in each round. The load generator shares the machine's cores with the server, so requests per second depend on both;
compare CPU per request.

Durable writes are in a database on a disk, with `synchronous=FULL` for everyone: `fsync` in every transaction. The
other writes are in a database in memory, to measure the program and not the disk; there the peers use
`synchronous=OFF`, and the service, which has no setting for that, `FULL`."""


def provenance(*packages: str) -> str:
    """Return the date, the command, the machine and the versions."""
    wrk = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)  # noqa: S607 - from PATH
    module = Path(sys.argv[0]).stem
    name = "benchmarks" if module == "__main__" else f"benchmarks.{module}"
    facts = {
        "commit": base.revision(),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "command": f"`{' '.join(['python -m', name, *sys.argv[1:]])}`",
        "processor": f"{os.cpu_count()} cores, {_processor()}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "SQLite": sqlite3.sqlite_version,
        "packages": ", ".join(f"{package} {version(package)}" for package in (*PACKAGES, *packages)),
        "load": " ".join(wrk.stdout.split()[:2]),
    }
    return "\n".join(f"- {fact}: {value}" for fact, value in facts.items())


def publish(name: str, text: str, *, complete: bool = True) -> None:
    """Print a report, and save it in this folder if it is complete."""
    print(text)
    if complete:
        (FOLDER / name).write_text(text.rstrip() + "\n")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table with the first column left-aligned and the others right-aligned."""
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _scenario(figures: Figures, contestants: Sequence[Contestant], scenario: Scenario, connections: int) -> str:
    rows = []
    for one in contestants:
        samples = figures.samples.get((one.key, scenario.key, connections))
        if samples:
            rows.append(
                [
                    one.label,
                    _number(figures.cpu(one, scenario, connections)),
                    _number(median(sample.per_second for sample in samples)),
                    _number(median(sample.p50 for sample in samples) / 1e3, 2),
                    _number(median(sample.p99 for sample in samples) / 1e3, 2),
                ]
            )
    return table(["", "CPU, µs", "requests/s", "p50, ms", "p99, ms"], rows)


def _processes(figures: Figures, contestants: Sequence[Contestant]) -> str:
    return table(
        ["", "memory, MB", "start to first 200, s"],
        (
            [
                one.label,
                _number(median(figures.memory[one.key]) / 1e6),
                _number(median(figures.starts[one.key]), 2),
            ]
            for one in contestants
            if one.key in figures.starts
        ),
    )


def _targets(figures: Figures, scenarios: Sequence[Scenario]) -> str:
    wanted = [scenario for scenario in scenarios if any(scenario.key in per for per in TARGETS.values())]
    rows = [
        [
            f"times {'the cost of' if one in targets.AT_MOST else 'cheaper than'} {one.label}",
            *(targets.beside(one, scenario.key, figures.ratio(one, scenario)) for scenario in wanted),
        ]
        for one in TARGETS
    ]
    return table(["", *(scenario.title for scenario in wanted)], rows)


def _number(figure: float | None, digits: int = 0) -> str:
    return "-" if figure is None else f"{figure:,.{digits}f}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()

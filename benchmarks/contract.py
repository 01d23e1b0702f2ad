"""What a contract's size costs at the start: `python -m benchmarks.contract`, or `make bench-contract`."""

import argparse
import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from benchmarks import contracts, report, targets
from benchmarks.registry import CHECKOUT

SIZES = ((10, 50), (100, 200), (1000, 1000))
ROUNDS = 3
MOST_SECONDS, MOST_MB = 4.0, 300.0
GROWTH = 1.5
HOW = """\
Synthetic contracts (`contracts.py`), each installed in a fresh process, which reads it from a YAML file. *Start* is the
CPU time of the process until the application can serve, imports included: the time of a start where nothing else runs.
*Install* is the part of it that reads and compiles the contract; memory is the process's peak. Each figure is the
smallest of {rounds} rounds. *Growth* is the cost of one more operation between {middle:,} and {most:,} operations,
divided by its cost between {least:,} and {middle:,}."""


@dataclass(frozen=True)
class Start:
    """The cost of one start: CPU seconds in all, those of `install()`, and peak memory in MB."""

    seconds: float
    install: float
    megabytes: float


def install(contract: Path) -> None:
    """Install a contract as an application does."""
    from connexion import FlaskApp

    import contract as engine

    engine.install(FlaskApp(__name__), contract, contracts.PACKAGE)


def main() -> None:
    """Measure, print, and keep the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contract", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--start", nargs=2, metavar=("FILE", "OPERATIONS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.start:
        file, operations = options.start
        print(json.dumps(asdict(_start(Path(file), int(operations)))))
        return
    text = render(measure(options.rounds), options.rounds)
    report.publish("RESULTS-contract.md", text, complete=options.rounds >= ROUNDS)


def measure(rounds: int) -> dict[tuple[int, int], Start]:
    """The best figures for each size."""
    best = {}
    with TemporaryDirectory() as folder:
        for operations, schemas in SIZES:
            file = Path(folder, f"{operations}.yaml")
            file.write_text(yaml.safe_dump(contracts.document(operations, schemas), sort_keys=False))
            starts = []
            for number in range(rounds):
                print(f"{operations} operations, round {number + 1}", file=sys.stderr)
                starts.append(_measure(file, operations))
            columns = zip(*((one.seconds, one.install, one.megabytes) for one in starts), strict=True)
            best[operations, schemas] = Start(*map(min, columns))
    return best


def render(starts: dict[tuple[int, int], Start], rounds: int) -> str:
    """The report, in Markdown."""
    (least, _), (middle, _), (most, _) = SIZES
    first, second, last = starts.values()
    seconds = _growth(first.install, second.install, last.install)
    megabytes = _growth(first.megabytes, second.megabytes, last.megabytes)
    rows = [
        [f"{operations:,}", f"{schemas:,}", f"{one.seconds:.2f}", f"{one.install:.2f}", f"{one.megabytes:.0f}"]
        for (operations, schemas), one in starts.items()
    ]
    verdicts = [
        ["start, s", targets.verdict(last.seconds, f"< {MOST_SECONDS:g}", reached=last.seconds < MOST_SECONDS)],
        ["peak memory, MB", targets.verdict(last.megabytes, f"< {MOST_MB:g}", reached=last.megabytes < MOST_MB)],
        ["growth of install", targets.verdict(seconds, f"≤ {GROWTH}", reached=seconds <= GROWTH)],
        ["growth of memory", targets.verdict(megabytes, f"≤ {GROWTH}", reached=megabytes <= GROWTH)],
    ]
    return "\n\n".join(
        [
            "# What a contract's size costs at the start",
            HOW.format(rounds=rounds, least=least, middle=middle, most=most),
            report.table(["operations", "schemas", "start, s", "install, s", "peak memory, MB"], rows),
            report.table([f"{most:,} operations", ""], verdicts),
            report.provenance(),
        ]
    )


def _measure(file: Path, operations: int) -> Start:
    """Start a fresh process that installs the contract."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.contract", "--start", str(file), str(operations)]
    done = subprocess.run(command, cwd=CHECKOUT, check=True, stdout=subprocess.PIPE, timeout=600)  # noqa: S603 -- ours
    return Start(**json.loads(done.stdout))


def _start(file: Path, operations: int) -> Start:
    """Install the contract in this process, which is a fresh one."""
    import connexion  # noqa: F401 -- imported before the clock of `install` runs

    import contract  # noqa: F401 -- the same

    contracts.add_handlers(operations)
    before = time.process_time()
    install(file)
    ready = time.process_time()
    # Not getrusage(): what it says of the peak begins with the memory of the process that started this one.
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return Start(ready, ready - before, int(peak) * 1024 / 1e6)


def _growth(first: float, second: float, last: float) -> float:
    """The cost of one more operation between the last two sizes, divided by that between the first two."""
    (least, _), (middle, _), (most, _) = SIZES
    return ((last - second) / (most - middle)) / max((second - first) / (middle - least), 1e-9)


if __name__ == "__main__":
    main()

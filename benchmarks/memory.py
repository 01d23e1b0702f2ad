"""The memory of the service's workers under a long load: `python -m benchmarks.memory`."""

import argparse
import sys
from statistics import mean

from benchmarks import load, report, targets
from benchmarks.data import MEMORY, copy
from benchmarks.registry import SERVICE
from benchmarks.scenarios import SCENARIOS
from benchmarks.server import pss, serve

BURST = 1
CYCLES = 24
TARGET = 1.02
HOW = """\
Proportional set size of each worker in MB, after every cycle of all scenarios with {seconds} s of load each. It is flat
if the mean of the last quarter is at most {target} times that of the second quarter. Caches fill in the first."""


def main() -> None:
    """Measure, print the report and save it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--cycles", type=int, default=CYCLES, help="how often to go through all scenarios (4 or more)")
    options = parser.parse_args()
    series = measure(options.cycles)
    quarter = len(series) // 4
    growth = mean(used(series[-quarter:])) / mean(used(series[quarter : 2 * quarter]))
    text = "\n\n".join(
        [
            "# Memory under a long load",
            HOW.format(seconds=BURST, target=TARGET),
            f"Last quarter over second quarter: {targets.at_most(growth, TARGET)}",
            report.table(
                ["requests so far", *(f"worker {number + 1}" for number in range(len(series[0][1])))],
                ([f"{count:,}", *(f"{size / 1e6:.1f}" for size in sizes)] for count, sizes in series),
            ),
            report.provenance(),
        ]
    )
    report.publish("RESULTS-memory.md", text, complete=options.cycles >= CYCLES)


def measure(cycles: int) -> list[tuple[int, list[int]]]:
    """Return the number of responses so far and the bytes of each worker, after each cycle."""
    series, responses = [], 0
    with copy() as database, serve(SERVICE, database) as server:
        workers: list[int] = []
        for number in range(cycles):
            print(f"cycle {number + 1} of {cycles}", file=sys.stderr)
            for scenario in (one for one in SCENARIOS if one.place == MEMORY):
                responses += load.run(server, scenario.on(server), BURST, refused=scenario.refused).requests
            if workers and server.workers() != workers:
                raise RuntimeError("a worker ended under load")
            workers = server.workers()
            series.append((responses, [pss(worker) for worker in workers]))
    return series


def used(series: list[tuple[int, list[int]]]) -> list[int]:
    """Return the bytes of all workers together, for each entry."""
    return [sum(sizes) for _, sizes in series]


if __name__ == "__main__":
    main()

"""Measure the service and its peers in one run: `python -m benchmarks`, or `make bench`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import load, report, why
from benchmarks.data import DISK, MEMORY, copy
from benchmarks.plot import bars
from benchmarks.registry import CONTESTANTS, SERVICE, Contestant
from benchmarks.report import Figures
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.server import serve

PLOT = Path(__file__).with_name("cpu-per-request.svg")
PLOTTED = ("get-one", "get-50", "post", "post-durable")


def main() -> None:
    """Run the rounds, print the report, and save it with its plot if the run was complete."""
    options = parse(sys.argv[1:])
    contestants = [one for one in CONTESTANTS if one.key in options.peers]
    scenarios = [one for one in SCENARIOS if one.key in options.scenarios]
    figures = Figures()
    for number in range(options.rounds):
        # Every second round has the opposite order, so that no contestant always follows the same one.
        for contestant in contestants[:: -1 if number % 2 else 1]:
            print(f"round {number + 1}: {contestant.label}", file=sys.stderr)
            for place in (MEMORY, DISK):
                chosen = [one for one in scenarios if one.place == place and one.offered_by(contestant)]
                if chosen:
                    measure(contestant, place, chosen, options.seconds, figures)
    measured = len(contestants), len(scenarios)
    complete = (
        measured == (len(CONTESTANTS), len(SCENARIOS))
        and options.rounds >= load.ROUNDS
        and options.seconds >= load.SECONDS
    )
    text = report.render(figures, contestants, scenarios, options.rounds, options.seconds)
    report.publish("RESULTS.md", text, complete=complete)
    if complete:
        PLOT.write_text(plot(figures))
        print("\n".join(["\ndocs/why.md has these figures now:", *why.update()]))


def plot(figures: Figures) -> str:
    """Return the CPU per request of all contestants as SVG."""
    panels = [
        (scenario.title, [(one.label, figures.cpu(one, scenario)) for one in CONTESTANTS])
        for scenario in SCENARIOS
        if scenario.key in PLOTTED
    ]
    return bars("Server CPU per request, µs", panels, highlighted=SERVICE.label)


def measure(
    contestant: Contestant,
    place: Path,
    scenarios: Sequence[Scenario],
    seconds: int,
    figures: Figures,
) -> None:
    """Start a contestant with new data, check and load each scenario, and record the figures."""
    with copy(place=place) as database, serve(contestant, database) as server:
        load.run(server, scenarios[0].on(server), load.WARM_UP, refused=scenarios[0].refused)
        for scenario in scenarios:
            request = scenario.on(server)
            for number in scenario.connections:
                sample = load.run(server, request, seconds, refused=scenario.refused, connections=number)
                figures.samples[contestant.key, scenario.key, number].append(sample)
            scenario.on(server)
        if place == MEMORY:
            figures.starts[contestant.key].append(server.seconds_to_start)
            figures.memory[contestant.key].append(server.memory())


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the options."""
    peers = [one.key for one in CONTESTANTS]
    scenarios = [one.key for one in SCENARIOS]
    parser = load.parser("benchmarks", __doc__)
    parser.add_argument("--peers", nargs="+", choices=peers, default=peers, metavar="PEER", help=", ".join(peers))
    parser.add_argument(
        "--scenarios", nargs="+", choices=scenarios, default=scenarios, metavar="SCENARIO", help=", ".join(scenarios)
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()

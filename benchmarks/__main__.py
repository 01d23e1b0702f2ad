"""Measure the service and its peers in one run: `python -m benchmarks`, or `make bench`."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks import load, report, why
from benchmarks.data import DISK, MEMORY, copy
from benchmarks.plot import bars
from benchmarks.registry import CONTESTANTS, SERVICE, Contestant
from benchmarks.report import Figures
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.server import serve

ROUNDS = 4
SECONDS = 1
PLOT = Path(__file__).with_name("cpu-per-request.svg")
PLOTTED = ("get-one", "get-50", "post", "post-durable")


def main() -> None:
    """Run the rounds, print the report, and save it with its plot if the run was complete."""
    options = parse(sys.argv[1:])
    contestants = [one for one in CONTESTANTS if one.key in options.peers]
    scenarios = [one for one in SCENARIOS if one.key in options.scenarios]
    figures = Figures()
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        # Every second round has the opposite order, so that no contestant always follows the same one.
        ordered = contestants[:: -1 if number % 2 else 1]
        for place in (MEMORY, DISK):
            if chosen := [one for one in scenarios if one.place == place]:
                measure(ordered, place, chosen, options.seconds, figures)
    measured = len(contestants), len(scenarios)
    complete = (
        measured == (len(CONTESTANTS), len(SCENARIOS)) and options.rounds >= ROUNDS and options.seconds >= SECONDS
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
    contestants: Sequence[Contestant],
    place: Path,
    scenarios: Sequence[Scenario],
    seconds: int,
    figures: Figures,
) -> None:
    """Start all contestants with new data, load them in turn in each scenario, and record the figures.

    What disturbs the machine for longer than a second disturbs all of them.
    """
    with ExitStack() as stack:
        servers = {one: stack.enter_context(serve(one, stack.enter_context(copy(place=place)))) for one in contestants}
        for server in servers.values():
            load.run(server, scenarios[0].on(server), load.WARM_UP, refused=scenarios[0].refused)
        for scenario, number in [(one, number) for one in scenarios for number in one.connections]:
            for contestant, server in servers.items():
                if scenario.offered_by(contestant):
                    request = scenario.on(server)
                    sample = load.run(server, request, seconds, refused=scenario.refused, connections=number)
                    figures.samples[contestant.key, scenario.key, number].append(sample)
                    scenario.on(server)
        if place == MEMORY:
            for contestant, server in servers.items():
                figures.starts[contestant.key].append(server.seconds_to_start)
                figures.memory[contestant.key].append(server.memory())


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the options."""
    peers = [one.key for one in CONTESTANTS]
    scenarios = [one.key for one in SCENARIOS]
    parser = load.parser("benchmarks", __doc__, ROUNDS, SECONDS)
    parser.add_argument("--peers", nargs="+", choices=peers, default=peers, metavar="PEER", help=", ".join(peers))
    parser.add_argument(
        "--scenarios", nargs="+", choices=scenarios, default=scenarios, metavar="SCENARIO", help=", ".join(scenarios)
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()

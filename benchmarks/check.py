"""What a change costs, in two minutes: the working tree beside a commit or a peer, `make bench-check BASE=…`."""

import argparse
import sys
from collections import defaultdict
from statistics import median

from benchmarks import base, load, report, targets
from benchmarks.data import copy
from benchmarks.registry import COMPARABLE, SERVICE, Contestant
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.server import Server, serve

ROUNDS = 5
SECONDS = 1
CHECKED = ("get-one", "get-50", "post", "patch", "404", "400")
Costs = defaultdict[Scenario, list[tuple[float, float]]]
HOW = """\
Server CPU per request in µs with the default settings, the smallest of {rounds} rounds; and how many times the base's
cost this is, in each round. The rounds are interleaved: both are loaded in turn, for {seconds} s each."""


def main() -> None:
    """Measure both in rounds and print the ratios."""
    options = parse()
    chosen = [one for one in SCENARIOS if one.key in options.scenarios]
    costs: Costs = defaultdict(list)
    with base.contestant(options.base or base.default()) as other:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            measure(other, chosen, options.seconds, costs, swapped=bool(number % 2))
    rows = [row(other, scenario, costs[scenario]) for scenario in chosen if costs[scenario]]
    head = ["", other.label, "working tree", "ratio: median", "smallest", "largest", "target"]
    print(f"{HOW.format(rounds=options.rounds, seconds=options.seconds)}\n\n{report.table(head, rows)}")


def measure(other: Contestant, scenarios: list[Scenario], seconds: int, costs: Costs, *, swapped: bool) -> None:
    """Start both with new data, and record the CPU per request of the base and of the working tree."""
    for place in dict.fromkeys(scenario.place for scenario in scenarios):
        with (
            copy(place=place, checkout=other.folder) as theirs,
            copy(place=place) as ours,
            serve(other, theirs) as old,
            serve(SERVICE, ours) as new,
        ):
            for scenario in scenarios:
                if scenario.place == place and scenario.offered_by(other):
                    cost = {
                        server: cpu(server, scenario, seconds) for server in ((new, old) if swapped else (old, new))
                    }
                    costs[scenario].append((cost[old], cost[new]))


def cpu(server: Server, scenario: Scenario, seconds: int) -> float:
    """Return the CPU per request in µs. The check before the load is the warm-up."""
    return load.run(server, scenario.on(server), seconds, refused=scenario.refused).cpu


def row(other: Contestant, scenario: Scenario, costs: list[tuple[float, float]]) -> list[str]:
    """Return the figures of one scenario."""
    ratios = [after / before for before, after in costs]
    least = [min(side) for side in zip(*costs, strict=True)]
    middle = median(ratios)
    return [
        scenario.title,
        *(f"{cost:,.0f}" for cost in least),
        *(f"{ratio:.3f}" for ratio in (middle, min(ratios), max(ratios))),
        targets.beside(other, scenario.key, 1 / middle),
    ]


def parse() -> argparse.Namespace:
    """Parse the options."""
    keys = [one.key for one in SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.check", description=__doc__)
    parser.add_argument("--base", help=f"a commit, or a peer: {', '.join(one.key for one in COMPARABLE)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="how long each load lasts")
    parser.add_argument("--scenarios", nargs="+", choices=keys, default=CHECKED, metavar="KEY", help=", ".join(keys))
    return parser.parse_args()


if __name__ == "__main__":
    main()

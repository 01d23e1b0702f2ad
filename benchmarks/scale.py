"""The cost of the service for growing tables: `python -m benchmarks.scale`, or `make bench-scale`."""

import sys
from collections import defaultdict
from contextlib import ExitStack

from benchmarks import load, report, targets
from benchmarks.data import copy, prepare
from benchmarks.load import Request
from benchmarks.registry import SERVICE
from benchmarks.scenarios import CREATE
from benchmarks.server import serve
from db.resources import Position
from handlers import cursors

SIZES = (10**3, 10**5, 10**7)
DEPTH = 10**6
TARGET = 1.3
PAGE = 50
HOW = """\
CPU per request of the service in µs, the smallest of {rounds} rounds of {seconds} s, and its ratio to that of the
smallest table. Tables of all sizes are served at the same time. The deep page begins after item 1,000,000, or is the
last page of a smaller table. Databases are in memory."""


def requests(rows: int) -> dict[str, Request]:
    """Return the requests for a table with this number of rows."""
    depth = min(DEPTH, rows - PAGE)
    cursor = cursors.encode("id", None, Position(depth, depth))
    return {
        "GET one": Request("GET", "/items/{id}", range(1, rows + 1)),
        "first page": Request("GET", f"/items?limit={PAGE}"),
        "deep page": Request("GET", f"/items?limit={PAGE}&cursor={cursor}"),
        "POST": CREATE,
    }


def main() -> None:
    """Measure, print the report and save it."""
    parser = load.parser("benchmarks.scale", __doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="rows of the tables, the smallest first")
    options = parser.parse_args()
    costs = measure(options.sizes, options.rounds, options.seconds)
    smallest = options.sizes[0]
    rows = []
    for title in requests(smallest):
        cost = {size: min(costs[title, size]) for size in options.sizes}
        worst = max(cost.values()) / cost[smallest]
        cells = [f"{cost[size]:,.0f} ({cost[size] / cost[smallest]:.2f})" for size in options.sizes]
        rows.append([title, *cells, targets.at_most(worst, TARGET)])
    text = "\n\n".join(
        [
            "# How cost grows with the table",
            HOW.format(rounds=options.rounds, seconds=options.seconds),
            report.table(["", *(f"{size:,} rows" for size in options.sizes), "largest ratio"], rows),
            report.provenance(),
        ]
    )
    report.publish("RESULTS-scale.md", text, complete=tuple(options.sizes) == SIZES and options.rounds >= load.ROUNDS)


def measure(sizes: list[int], rounds: int, seconds: int) -> dict[tuple[str, int], list[float]]:
    """Return the CPU per request in µs by request and size, one figure per round."""
    costs = defaultdict(list)
    for size in sizes:
        print(f"preparing {size:,} rows", file=sys.stderr)
        prepare(size)
    with ExitStack() as stack:
        servers = {size: stack.enter_context(serve(SERVICE, stack.enter_context(copy(size)))) for size in sizes}
        for number in range(rounds):
            print(f"round {number + 1}", file=sys.stderr)
            for title in requests(sizes[0]):
                for size, server in servers.items():
                    request = requests(size)[title]
                    costs[title, size].append(load.measure(server, request, seconds).cpu)
    return costs


if __name__ == "__main__":
    main()

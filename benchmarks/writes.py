"""Durable writes: the working tree beside a commit and peers. `python -m benchmarks.writes`, or `make bench-writes`.

All write to an SQLite file on a disk with `synchronous=FULL` in WAL mode.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import base, load, report, slow_disk, writes_report
from benchmarks.clients import Load, run
from benchmarks.data import DISK, ROWS, copy, count
from benchmarks.registry import LIMIT, LITESTAR, SERVICE, TUTORIAL, Contestant
from benchmarks.server import serve
from benchmarks.writes_report import BASE, Part, Samples

ROUNDS = 4
MANY, MIXED, ONE = Load(32, 100), Load(64, 20), Load(1, 100)
READS = Load(64, 0)
SIDES = (SERVICE.key, BASE)
PEERS = (*SIDES, LIMIT.key, LITESTAR.key, TUTORIAL.key)
PARTS = (
    Part("2-workers", "32 clients, 2 workers", 2, (MANY,), PEERS),
    Part("4-workers", "32 clients, 4 workers", 4, (MANY,), PEERS),
    Part("one-client", "One client, 2 workers", 2, (ONE,), SIDES),
    Part("mixed-2", "64 clients, 2 workers: reads alone, and 80 % reads and 20 % writes", 2, (READS, MIXED), SIDES),
    Part("mixed-4", "64 clients, 4 workers: reads alone, and 80 % reads and 20 % writes", 4, (READS, MIXED), SIDES),
    Part("slow-disk", "32 clients, 2 workers, a disk whose fsync takes 5 ms longer", 2, (MANY,), SIDES, slow=True),
)


def main() -> None:
    """Measure the parts in rounds, print the report, and save it if the run was complete."""
    options = parse()
    parts = [part for part in PARTS if part.key in options.only]
    samples = Samples()
    with ExitStack() as stack:
        before = stack.enter_context(base.commit(options.base or base.default()))
        contestants = {one.key: one for one in (SERVICE, before, LIMIT, LITESTAR, TUTORIAL)}
        shim = slow_disk.build(Path(stack.enter_context(TemporaryDirectory())))
        if shim is None:
            parts = [part for part in parts if not part.slow]
            print("skipped: slow-disk needs gcc", file=sys.stderr)
        for part in parts:
            measure(part, contestants, shim, options, samples)
    machine = report.provenance(*report.PEERS_PACKAGES)
    text = writes_report.render(samples, parts, contestants, machine, rounds=options.rounds, seconds=options.seconds)
    report.publish("RESULTS-writes.md", text, complete=len(parts) == len(PARTS) and options.rounds >= ROUNDS)


def measure(
    part: Part, contestants: Mapping[str, Contestant], shim: Path | None, options: argparse.Namespace, samples: Samples
) -> None:
    """Start all contestants of a part with new data, and load them in turn.

    Raises RuntimeError if an item with a 201 is not in the database afterwards.
    """
    environment = {"LD_PRELOAD": str(shim)} if part.slow else {}
    created: Counter[str] = Counter()
    with ExitStack() as stack:
        chosen = {key: contestants[key] for key in part.contestants}
        databases = {key: stack.enter_context(copy(place=DISK, checkout=one.folder)) for key, one in chosen.items()}
        with ExitStack() as running:
            servers = {
                key: running.enter_context(serve(one, databases[key], part.workers, environment))
                for key, one in chosen.items()
            }
            for key, server in servers.items():
                created[key] += run(server, part.loads[-1], load.WARM_UP).created
            for number in range(options.rounds):
                print(f"{part.key}: round {number + 1} of {options.rounds}", file=sys.stderr)
                for key in part.contestants[:: -1 if number % 2 else 1]:
                    for each in part.loads:
                        sample = run(servers[key], each, options.seconds)
                        created[key] += sample.created
                        samples[part.key, key, each].append(sample)
        for key, database in databases.items():
            stored = count(database) - ROWS
            if stored < created[key]:
                raise RuntimeError(f"{key}: {created[key]} responses with 201, but {stored} new items")


def parse() -> argparse.Namespace:
    """Parse the options."""
    keys = [part.key for part in PARTS]
    parser = load.parser("benchmarks.writes", __doc__, rounds=ROUNDS)
    parser.add_argument("--base", help="the commit to compare with")
    parser.add_argument("--only", nargs="+", choices=keys, default=keys, metavar="PART", help=", ".join(keys))
    return parser.parse_args()


if __name__ == "__main__":
    main()

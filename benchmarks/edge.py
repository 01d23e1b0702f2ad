"""The cost of nginx: the service alone and behind its nginx. `python -m benchmarks.edge`."""

import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from app import edge as app_edge
from benchmarks import load, report
from benchmarks.data import copy
from benchmarks.load import Sample
from benchmarks.registry import CHECKOUT, SERVICE
from benchmarks.scenarios import SCENARIOS
from benchmarks.server import HOST, Server, free_port, serve

MEASURED = ("get-one", "get-50", "post", "304")
HOW = """\
The service alone and behind nginx, in one run and with the same load. The configuration is that of `nginx/`, except the
port, the upstream and the rate limit per IP address. CPU is in µs per request, the smallest of {rounds} rounds of
{seconds} s; everything else is the median. Load generator, nginx and service share the machine's cores. The database is
in memory."""


def main() -> None:
    """Measure, print the report and save it."""
    options = load.parser("benchmarks.edge", __doc__).parse_args()
    samples = measure(options.rounds, options.seconds)
    cpu_head = ["CPU per request, µs", "service alone", "service behind nginx", "nginx", "together", "nginx adds"]
    sides = ("alone", "through nginx")
    rate_head = ["", *(f"{figure} {side}" for figure in ("requests/s", "p50, ms,", "p99, ms,") for side in sides)]
    text = "\n\n".join(
        [
            "# What nginx adds",
            HOW.format(rounds=options.rounds, seconds=options.seconds),
            report.table(cpu_head, [cpu_row(title, *samples[title]) for title in samples]),
            report.table(rate_head, [rate_row(title, *samples[title]) for title in samples]),
            report.provenance(),
        ]
    )
    report.publish("RESULTS-edge.md", text, complete=options.rounds >= load.ROUNDS)


def cpu_row(title: str, alone: list[Sample], through: list[Sample]) -> list[str]:
    """Return the CPU figures of one scenario."""
    least = min(sample.cpu for sample in alone)
    best = min(through, key=lambda sample: sample.cpu + sample.behind)
    together = best.cpu + best.behind
    figures = [least, best.behind, best.cpu, together, together - least]
    return [title, *(f"{figure:,.0f}" for figure in figures)]


def rate_row(title: str, alone: list[Sample], through: list[Sample]) -> list[str]:
    """Return the rates and times of one scenario."""
    sides = (alone, through)
    return [
        title,
        *(f"{median(sample.per_second for sample in side):,.0f}" for side in sides),
        *(f"{median(sample.p50 for sample in side) / 1e3:.2f}" for side in sides),
        *(f"{median(sample.p99 for sample in side) / 1e3:.2f}" for side in sides),
    ]


def measure(rounds: int, seconds: int) -> dict[str, tuple[list[Sample], list[Sample]]]:
    """Return the samples by scenario, alone and through nginx, one per round."""
    samples: dict[str, tuple[list[Sample], list[Sample]]] = defaultdict(lambda: ([], []))
    with copy() as database, serve(SERVICE, database) as service, edge(service.port) as nginx:
        for number in range(rounds):
            print(f"round {number + 1}", file=sys.stderr)
            for scenario in (one for one in SCENARIOS if one.key in MEASURED):
                alone, through = samples[scenario.title]
                alone.append(load.measure(service, scenario.on(service), seconds))
                through.append(load.measure(nginx, scenario.on(nginx), seconds, behind=service))
    return samples


@contextmanager
def edge(upstream: int) -> Iterator[Server]:
    """Run nginx with the files of the repository on a free port, in front of the port `upstream`."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        raise SystemExit("nginx is not installed: apt-get install nginx")
    port = free_port()
    with TemporaryDirectory() as folder:
        configuration = Path(folder, "nginx")
        shutil.copytree(CHECKOUT / "nginx", configuration)
        app_edge.write(configuration / "contract")
        (configuration / "local" / "listen.conf").write_text(f"listen {HOST}:{port};\n")
        (configuration / "local" / "upstream.conf").write_text(f"server {HOST}:{upstream};\n")
        # The whole load comes from one IP address: nginx checks the limit, but it is never reached.
        limits = configuration / "http.d" / "limits.conf"
        limits.write_text(re.sub(r"rate=\d+r/s", "rate=1000000r/s", limits.read_text()))
        command = [program, "-p", f"{folder}/", "-c", str(configuration / "nginx.conf")]
        with Server("nginx", command, port, {}) as server:
            yield server


if __name__ == "__main__":
    main()

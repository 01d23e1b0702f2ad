"""The cost of nginx: the service alone and behind its nginx, as composed. `python -m benchmarks.edge`."""

import argparse
import os
import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from app import edge as app_edge
from benchmarks import load, report
from benchmarks.data import copy
from benchmarks.load import Sample
from benchmarks.registry import CHECKOUT
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.server import HOST, WORKERS, Server, free_port

MEASURED = ("get-one", "get-50", "post", "304")
CACHED = ("get-one", "get-50", "304")
ALONE, BEHIND, CACHE = "service alone", "behind nginx", "behind nginx, READ_CACHE_SECONDS=1"
HOW = """\
The service alone and behind nginx, in one run and with the same load, with the settings of `docker-compose.yml`: a Unix
socket between the two, JSON logs of both into pipes, two workers of the service and one of nginx. Only the port and the
limit for the rate differ, because the whole load comes from one IP address. CPU is in µs per request, the smallest of
{rounds} rounds of {seconds} s; everything else is the median. Load generator, nginx and service share the machine's
cores. The database is in memory."""


@dataclass
class Side:
    """What the load is sent to: the service, or an nginx in front of it."""

    server: Server
    behind: Server | None = None
    scenarios: Sequence[str] = MEASURED
    samples: Mapping[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def measure(self, scenario: Scenario, seconds: int) -> None:
        """Add a sample of this scenario."""
        request = scenario.on(self.server)
        self.samples[scenario.key].append(load.measure(self.server, request, seconds, behind=self.behind))


def main() -> None:
    """Measure, print the report and save it."""
    parser = load.parser("benchmarks.edge", __doc__)
    parser.add_argument("--scenarios", nargs="+", choices=MEASURED, default=MEASURED, help="only these")
    parser.add_argument("--against", type=Path, nargs="+", default=(), help="other nginx/ folders, to compare with")
    options = parser.parse_args()
    scenarios = [scenario for scenario in SCENARIOS if scenario.key in options.scenarios]
    sides = measure(options, scenarios)
    rows = [(scenario, name) for scenario in scenarios for name, side in sides.items() if scenario.key in side.samples]
    behind = [(scenario, name) for scenario, name in rows if name != ALONE]
    text = "\n\n".join(
        [
            "# What nginx adds",
            HOW.format(rounds=options.rounds, seconds=options.seconds),
            report.table(
                ["CPU per request, µs", "", "service alone", "service", "nginx", "together", "nginx adds", "median"],
                [cpu_row(scenario, name, sides) for scenario, name in behind],
            ),
            report.table(
                ["", "", "requests/s", "p50, ms", "p99, ms"],
                [rate_row(scenario, name, sides) for scenario, name in rows],
            ),
            report.provenance(),
        ]
    )
    complete = options.rounds >= load.ROUNDS and len(scenarios) == len(MEASURED) and not options.against
    report.publish("RESULTS-edge.md", text, complete=complete)
    for scenario, name in behind:
        print(f"{scenario.title}, {name}: nginx adds {cpu_row(scenario, name, sides)[-2]} µs", file=sys.stderr)


def cpu_row(scenario: Scenario, name: str, sides: Mapping[str, Side]) -> list[str]:
    """Return the CPU figures of one scenario. The median is that of the rounds' differences."""
    alone, through = (sides[one].samples[scenario.key] for one in (ALONE, name))
    best = min(through, key=lambda sample: sample.cpu + sample.behind)
    least, together = min(sample.cpu for sample in alone), best.cpu + best.behind
    added = median(two.cpu + two.behind - one.cpu for one, two in zip(alone, through, strict=True))
    figures = [least, best.behind, best.cpu, together, together - least, added]
    return [scenario.title, name, *(f"{figure:,.0f}" for figure in figures)]


def rate_row(scenario: Scenario, name: str, sides: Mapping[str, Side]) -> list[str]:
    """Return the rate and the times of one scenario."""
    samples = sides[name].samples[scenario.key]
    return [
        scenario.title,
        name,
        f"{median(sample.per_second for sample in samples):,.0f}",
        f"{median(sample.p50 for sample in samples) / 1e3:.2f}",
        f"{median(sample.p99 for sample in samples) / 1e3:.2f}",
    ]


def measure(options: argparse.Namespace, scenarios: Sequence[Scenario]) -> dict[str, Side]:
    """Return the sides with their samples, one per round and scenario. The sides take turns."""
    with ExitStack() as running, TemporaryDirectory() as folder:
        socket = Path(folder, "1.sock")
        service = running.enter_context(composed_service(running.enter_context(copy()), socket))
        sides = {ALONE: Side(service)}
        nginx = CHECKOUT / "nginx"
        sides[BEHIND] = Side(running.enter_context(edge(socket, nginx)), service)
        sides[CACHE] = Side(running.enter_context(edge(socket, nginx, cache=True)), service, CACHED)
        for other in options.against:
            sides[f"behind {other}"] = Side(running.enter_context(edge(socket, other)), service)
        for number in range(options.rounds):
            print(f"round {number + 1}", file=sys.stderr)
            for scenario in scenarios:
                for side in sides.values():
                    if scenario.key in side.scenarios:
                        side.measure(scenario, options.seconds)
    return sides


@contextmanager
def composed_service(database: Path, socket: Path) -> Iterator[Server]:
    """Run the service as its container does, on a free port and on `socket`."""
    port = free_port()
    environment = {
        "DATABASE_URL": f"sqlite:///{database}",
        "FORWARDED_ALLOW_IPS": "*",
        "LOG_FORMAT": "json",
        "WEB_CONCURRENCY": str(WORKERS),
    }
    command = [sys.executable, "-m", "app", f"--bind={HOST}:{port}", f"--bind=unix:{socket}"]
    with Server("service", command, port, environment) as server:
        yield server


@contextmanager
def edge(socket: Path, source: Path, *, cache: bool = False) -> Iterator[Server]:
    """Run nginx with the files in `source` on a free port, in front of `socket`, and with a cache of one second."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        raise SystemExit("nginx is not installed: apt-get install nginx")
    port = free_port()
    with TemporaryDirectory() as folder:
        configuration = Path(folder, "nginx")
        shutil.copytree(source, configuration)
        app_edge.write(configuration / "contract")
        (configuration / "local" / "listen.conf").write_text(f"listen {HOST}:{port};\n")
        (configuration / "local" / "upstream.conf").write_text(f"server unix:{socket} max_fails=0;\n")
        lines = "proxy_cache_valid 200 1s;\ninclude cache/reads.conf;\n" if cache else ""
        (configuration / "local" / "cache.conf").write_text(lines)
        (configuration / "local" / "servers.conf").write_text("include servers/plain.conf;\n")
        # The whole load comes from one IP address: nginx checks the limit, but it is never reached.
        limits = configuration / "http.d" / "limits.conf"
        limits.write_text(re.sub(r"rate=\d+r/s", "rate=1000000r/s", limits.read_text()))
        # If root starts nginx, its workers run as the user `nobody`, which cannot open the socket.
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        command = [program, "-p", f"{folder}/", "-c", str(configuration / "nginx.conf"), *user]
        with Server("nginx", command, port, {}) as server:
            yield server


if __name__ == "__main__":
    main()

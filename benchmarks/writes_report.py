"""The figures of durable writes and their report."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks import report
from benchmarks.clients import Load, Sample
from benchmarks.registry import LIMIT, SERVICE, TUTORIAL, Contestant
from benchmarks.targets import at_least, at_most

BASE = "base"
FASTER = {"2-workers": 2.3, "4-workers": 2.7, "one-client": 1.0, "slow-disk": 10.0}
"""How many times the writes per second of the base the working tree must do."""
HOW = """\
All contestants write to an SQLite file on a disk in WAL mode with `synchronous=FULL`. They are loaded in turn, in
{rounds} rounds, for {seconds} s each time. A client sends its next request when it has a response; a read is a GET of
one item. CPU is user and system time of the server's processes. Figures are the median of the rounds, and ratios the
median of the ratios in each round. All items with a 201 were in the database afterwards. The load generator shares the
machine's cores with the server."""


@dataclass(frozen=True)
class Part:
    """A part of the measurement: contestants, by their keys, with a number of workers and some loads."""

    key: str
    title: str
    workers: int
    loads: tuple[Load, ...]
    contestants: tuple[str, ...]
    slow: bool = False


Figure = Callable[[Sample], float]


class Samples(defaultdict[tuple[str, str, Load], list[Sample]]):
    """The samples by part, contestant and load, one per round."""

    def __init__(self) -> None:
        super().__init__(list)

    def figure(self, part: Part, contestant: str, figure: Figure, load: int = -1) -> float | None:
        """Return the median of a figure in the rounds; None if it was not measured."""
        samples = self.get((part.key, contestant, part.loads[load]))
        return median(map(figure, samples)) if samples else None

    def ratio(self, part: Part, other: str, figure: Figure) -> float | None:
        """Return how many times another contestant's figure the service's is: the median of the rounds' ratios."""
        own, theirs = (self.get((part.key, key, part.loads[-1])) for key in (SERVICE.key, other))
        if not own or not theirs:
            return None
        return median(figure(mine) / figure(its) for mine, its in zip(own, theirs, strict=True))


def rate(sample: Sample) -> float:
    """Writes per second."""
    return sample.per_second * sample.writes.count / (sample.reads.count + sample.writes.count)


def tail(sample: Sample) -> float:
    """The p99 of writes divided by their p50."""
    return sample.writes.p99 / sample.writes.p50


def render(
    samples: Samples,
    parts: Sequence[Part],
    contestants: Mapping[str, Contestant],
    provenance: str,
    *,
    rounds: int,
    seconds: int,
) -> str:
    """Return the report of a run in Markdown."""
    sections = [
        "# Durable writes",
        HOW.format(rounds=rounds, seconds=seconds),
        provenance,
        "## Targets",
        report.table(["", "", "this service"], [row for part in parts for row in targets(samples, part)]),
    ]
    for part in parts:
        labels = {key: contestants[key].label for key in part.contestants}
        figures = _mixed if len(part.loads) > 1 else _writes
        sections += [f"## {part.title}", figures(samples, part, labels)]
    return "\n\n".join(sections)


def targets(samples: Samples, part: Part) -> list[list[str]]:
    """Return the targets of a part, each with the figure that was measured."""
    own = SERVICE.key
    lines: dict[str, str] = {}
    if part.key in FASTER:
        lines["writes per second, times the base's"] = at_least(samples.ratio(part, BASE, rate), FASTER[part.key])
    if LIMIT.key in part.contestants:
        lines |= {
            "writes per second, times bare ASGI's": at_least(samples.ratio(part, LIMIT.key, rate), 2),
            "writes per second, times Flask-SQLAlchemy's": at_least(samples.ratio(part, TUTORIAL.key, rate), 6),
            "p99, times p50": at_most(samples.figure(part, own, tail), 4),
            "CPU per write, times bare ASGI's": at_most(samples.ratio(part, LIMIT.key, _cpu), 0.7),
            "responses to the slowest client, times the mean": at_least(samples.figure(part, own, _slowest), 0.25),
        }
    if len(part.loads) > 1:
        alone, mixed = (samples.figure(part, own, _reads_p99, load) for load in (0, 1))
        lines["p99 of reads, times that without writes"] = at_most(mixed / alone if alone and mixed else None, 1.5)
    failed = sum(sample.failed for each in part.loads for sample in samples[part.key, own, each])
    lines["errors"] = at_most(failed, 0)
    return [[part.key, *line] for line in lines.items()]


def _writes(samples: Samples, part: Part, labels: Mapping[str, str]) -> str:
    head = ["", "writes/s", "p50, ms", "p99, ms", "p99/p50", "CPU per write, µs", "slowest client/mean", "errors"]
    rows = []
    for key, label in labels.items():
        figures = (
            (rate, 0, 1),
            (lambda sample: sample.writes.p50, 2, 1e3),
            (lambda sample: sample.writes.p99, 2, 1e3),
            (tail, 1, 1),
            (_cpu, 0, 1),
            (_slowest, 2, 1),
            (lambda sample: sample.failed, 0, 1),
        )
        rows.append([label, *(_cell(samples.figure(part, key, one), digits, unit) for one, digits, unit in figures)])
    return report.table(head, rows)


def _mixed(samples: Samples, part: Part, labels: Mapping[str, str]) -> str:
    reads = [f"{figure} {side}" for side in ("alone", "with writes") for figure in ("reads/s", "p50, ms,", "p99, ms,")]
    head = ["", *reads, "writes/s", "p99 of writes, ms", "errors"]
    rows = []
    for key, label in labels.items():
        cells = []
        for load in (0, 1):
            cells += [
                _cell(samples.figure(part, key, lambda sample: sample.per_second - rate(sample), load)),
                _cell(samples.figure(part, key, lambda sample: sample.reads.p50, load), 2, 1e3),
                _cell(samples.figure(part, key, _reads_p99, load), 2, 1e3),
            ]
        cells += [
            _cell(samples.figure(part, key, rate)),
            _cell(samples.figure(part, key, lambda sample: sample.writes.p99), 2, 1e3),
            _cell(samples.figure(part, key, lambda sample: sample.failed)),
        ]
        rows.append([label, *cells])
    return report.table(head, rows)


def _cpu(sample: Sample) -> float:
    return sample.cpu


def _slowest(sample: Sample) -> float:
    return sample.slowest


def _reads_p99(sample: Sample) -> float:
    return sample.reads.p99


def _cell(figure: float | None, digits: int = 0, unit: float = 1) -> str:
    return "-" if figure is None else f"{figure / unit:,.{digits}f}"

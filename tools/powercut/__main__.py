"""Cut the power of the service many times, and count the acknowledged writes that are lost.

    python -m tools.powercut [--cuts N] [--requests N] [--seed N] [--database FILE] [--keep FOLDER | --again FOLDER]

The service is recorded as it is, when no cut may lose anything, and with less durable values of `synchronous`: then the
same cuts must find lost writes and damaged databases, or they would prove nothing.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.powercut.cutting import Report, cut_power
from tools.powercut.history import Outcome
from tools.powercut.migration import old_database
from tools.powercut.moments import START
from tools.powercut.recording import Plan, RecordingError, record
from tools.powercut.strace import TraceError


@dataclass(frozen=True)
class Subject:
    """What is recorded, and what the cuts must find."""

    name: str
    finds: Outcome
    pragmas: Mapping[str, str] = field(default_factory=dict)
    migrates: bool = False
    """Whether the service starts with a database of release 1.0.0, and is cut only during that start."""

    def make(self, folder: Path, seed: int, requests: int, database: Path | None = None) -> None:
        """Make the recording in an empty folder."""
        if self.migrates:
            database = folder / "1.0.0.db"
            old_database(database)
            requests = 100
        record(folder, Plan(seed, requests, self.pragmas, database, rewrites=self.migrates))

    def cut(self, folder: Path, cuts: int, seed: int) -> Report:
        """Cut the power in the recording."""
        return cut_power(folder, cuts, seed, START if self.migrates else None)


SUBJECTS = (
    Subject("The service as it is", Outcome.OK),
    Subject("A start with a migration", Outcome.OK, migrates=True),
    Subject("With synchronous=NORMAL", Outcome.LOST, {"synchronous": "NORMAL"}),
    Subject("With synchronous=OFF", Outcome.DAMAGED, {"synchronous": "OFF"}),
)


def main(arguments: Sequence[str]) -> str | None:
    """Record, cut and report; return the message to exit with if the proof fails."""
    options = _options(arguments)
    print(f"Seed {options.seed}, {options.cuts} cuts in each recording", flush=True)
    failures: list[str] = []
    try:
        with tempfile.TemporaryDirectory(prefix="powercut-") as temporary:
            for number, subject in enumerate(SUBJECTS, 1):
                folder = (options.again or options.keep or Path(temporary)) / f"recording-{number}"
                if not options.again:
                    folder.mkdir(parents=True)
                    subject.make(folder, options.seed, options.requests, options.database)
                report = subject.cut(folder, options.cuts, options.seed)
                print(f"\n{subject.name}\n\n{shown(report)}", flush=True)
                failures += failure(subject, report)
    except (RecordingError, TraceError, OSError) as error:
        return f"The power cuts could not be made. {error}"
    return "\n".join(["", *failures]) if failures else None


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make power-cuts", description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("--cuts", type=int, default=1000, help="in each recording (1000)")
    parser.add_argument("--requests", type=int, default=2000, help="in each recording (2000)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="repeats the cuts")
    parser.add_argument("--database", type=Path, metavar="FILE", help="the first recording starts with a copy of it")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--keep", type=Path, metavar="FOLDER", help="where to keep the recordings")
    place.add_argument("--again", type=Path, metavar="FOLDER", help="cut recordings that were kept")
    return parser.parse_args(arguments)


def shown(report: Report) -> str:
    """Return the tables of a report, and the first cuts that failed."""
    tables = [_table("Cut during", report.moments), _table("On the disk", report.survivals)]
    return "\n\n".join([*tables, *(["\n".join(report.examples)] if report.examples else [])])


def _table(title: str, rows: Mapping[str, Counter[Outcome]]) -> str:
    lines = [f"{title:26}{'cuts':>6}" + "".join(f"{outcome:>9}" for outcome in Outcome)]
    for name, counts in [*sorted(rows.items()), ("all", sum(rows.values(), Counter()))]:
        lines.append(f"{name:26}{counts.total():6}" + "".join(f"{counts[outcome]:9}" for outcome in Outcome))
    return "\n".join(lines)


def failure(subject: Subject, report: Report) -> list[str]:
    """Return why a report does not prove what it must, if so."""
    total = report.total
    if subject.finds is not Outcome.OK:
        found = total[subject.finds] > 0
        return [] if found else [f"FAILED. {subject.name}, no cut left a database {subject.finds}: they find nothing."]
    if total.total() == total[Outcome.OK]:
        return []
    counts = f"{total[Outcome.LOST]} cuts lost an acknowledged write, {total[Outcome.DAMAGED]} damaged the database"
    return [f"FAILED. {subject.name}: {counts}."]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

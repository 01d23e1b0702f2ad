"""Cuts the power at many moments of a recording, and counts what each cut leaves."""

import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from tools.powercut import clients, recording
from tools.powercut.disk import Disk
from tools.powercut.events import IGNORED, Sent, events
from tools.powercut.history import History, Outcome
from tools.powercut.migration import kept_copy
from tools.powercut.moments import describe
from tools.powercut.rebuilt import check, rows
from tools.powercut.strace import TraceError
from tools.powercut.survival import SURVIVALS, everything

_EXAMPLES = 5


@dataclass(frozen=True)
class Cut:
    """A power cut before an event: what the service does, and what reaches the disk."""

    position: int
    moment: str
    survival: str
    seed: int


@dataclass
class Report:
    """The outcomes of the cuts, by moment and by what reached the disk; `examples` describe the first that failed."""

    moments: dict[str, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))
    survivals: dict[str, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))
    examples: list[str] = field(default_factory=list)

    def add(self, cut: Cut, outcome: Outcome, text: str) -> None:
        """Count one cut."""
        self.moments[cut.moment][outcome] += 1
        self.survivals[cut.survival][outcome] += 1
        if outcome is not Outcome.OK and len(self.examples) < _EXAMPLES:
            self.examples.append(f"{outcome} at event {cut.position} ({cut.moment}; {cut.survival}): {text}")

    @property
    def total(self) -> Counter[Outcome]:
        """The outcomes of all cuts."""
        return sum(self.moments.values(), Counter())


def cut_power(folder: Path, cuts: int, seed: int, only: str | None = None) -> Report:
    """Cut the power this number of times in a recording, in all kinds of moments or in one of them `only`.

    Raise `TraceError` if the trace lacks something.
    """
    database = folder.resolve() / "data" / recording.DATABASE
    runs = [events(folder / f"trace-{start}", database) for start in recording.STARTS]
    requests = clients.load(folder / "requests.json")
    initial = folder / recording.INITIAL / database.name
    before = rows(initial) if initial.exists() else {}
    history = History(requests, before)
    copy = kept_copy(folder / "left-1", database.name, before)
    chosen = _choose(describe(runs, history.kinds, database.name), cuts, random.Random(seed), only)
    disk = Disk({database.name: initial.read_bytes()} if initial.exists() else None)
    report, position = Report(), 0
    with tempfile.TemporaryDirectory(prefix="powercut-") as room:
        for start, run in zip(recording.STARTS, runs, strict=True):
            for event in run:
                while chosen and chosen[-1].position == position:
                    cut = chosen.pop()
                    files = SURVIVALS[cut.survival](disk, random.Random(cut.seed))
                    report.add(cut, *check(Path(room, database.name), files, history, copy))
                disk.feed(event)
                if isinstance(event, Sent):
                    history.sent(event.request_id)
                position += 1
            _compare(disk, folder / f"left-{start}")
    if unsent := history.without_response():
        raise TraceError(f"the trace lacks the responses to {unsent} requests")
    return report


def _choose(moments: Sequence[str], cuts: int, source: random.Random, only: str | None) -> list[Cut]:
    """Choose the same number of cuts for each kind of moment; the last one comes first."""
    positions: dict[str, list[int]] = defaultdict(list)
    for position, moment in enumerate(moments):
        if only in (None, moment):
            positions[moment].append(position)
    kinds, survivals = cycle(sorted(positions)), cycle(SURVIVALS)
    chosen = []
    for number in range(cuts):
        moment = next(kinds)
        if number % len(positions) == 0:
            survival = next(survivals)
        chosen.append(Cut(source.choice(positions[moment]), moment, survival, source.getrandbits(64)))
    return sorted(chosen, key=lambda cut: cut.position, reverse=True)


def _compare(disk: Disk, left: Path) -> None:
    """Compare the files that the events make with those that the service has left: then no write is missing."""
    expected = {path.name: path.read_bytes() for path in left.iterdir() if not path.name.endswith(IGNORED)}
    found = everything(disk, random.Random(0))
    if found != expected:
        sizes = {name: len(content) for name, content in found.items()}
        raise TraceError(f"the trace leads to other files than {left} has: {sizes}")

"""The report of the power cuts, and what makes it fail."""

from collections import Counter
from pathlib import Path

import pytest

from tools.powercut.__main__ import SUBJECTS, failure, main, shown
from tools.powercut.cutting import Cut, Report
from tools.powercut.history import Outcome


def _report(*outcomes: Outcome) -> Report:
    report = Report()
    for number, outcome in enumerate(outcomes):
        report.add(Cut(number, "create", "everything", 0), outcome, "item 1 is None, not (1, 'lamp')")
    return report


def test_the_report_counts_cuts_and_shows_the_first_failures() -> None:
    """By what the service did, and by what reached the disk."""
    text = shown(_report(Outcome.OK, Outcome.LOST))
    assert [line.split() for line in text.splitlines() if line][:4] == [
        ["Cut", "during", "cuts", "ok", "lost", "damaged"],
        ["create", "2", "1", "1", "0"],
        ["all", "2", "1", "1", "0"],
        ["On", "the", "disk", "cuts", "ok", "lost", "damaged"],
    ]
    assert text.splitlines()[-1] == "lost at event 1 (create; everything): item 1 is None, not (1, 'lamp')"


@pytest.mark.parametrize(
    ("subject", "outcomes", "fails"),
    [
        (0, [Outcome.OK], False),
        (0, [Outcome.OK, Outcome.LOST], True),
        (0, [Outcome.OK, Outcome.DAMAGED], True),
        (1, [Outcome.OK], False),
        (1, [Outcome.OK, Outcome.LOST], True),
        (2, [Outcome.OK, Outcome.LOST], False),
        (2, [Outcome.OK], True),
        (3, [Outcome.LOST, Outcome.DAMAGED], False),
        (3, [Outcome.OK, Outcome.LOST], True),
    ],
)
def test_a_loss_fails_and_so_does_a_control_without_one(subject: int, outcomes: list[Outcome], fails: bool) -> None:  # noqa: FBT001 -- a column of the table
    """The service must lose nothing, `synchronous=NORMAL` must lose writes, OFF must damage databases."""
    assert bool(failure(SUBJECTS[subject], _report(*outcomes))) is fails


def test_the_total_is_that_of_all_moments() -> None:
    """No cut is counted twice."""
    assert _report(Outcome.OK, Outcome.LOST).total == Counter({Outcome.OK: 1, Outcome.LOST: 1})


def test_a_recording_that_is_missing_ends_with_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The seed is printed first, so that a run can be repeated."""
    message = main(["--again", str(tmp_path), "--seed", "7"])
    assert message is not None
    assert message.startswith("The power cuts could not be made. ")
    assert capsys.readouterr().out == "Seed 7, 1000 cuts in each recording\n"

"""A power cut loses no acknowledged write, and the power cuts can find losses: with less durable settings, they do."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tools.powercut.__main__ import SUBJECTS, Subject, failure, shown
from tools.powercut.cutting import cut_power
from tools.powercut.moments import GROUP, START
from tools.powercut.recording import DATABASE, Plan, record
from tools.powercut.survival import SURVIVALS

SEED = 2026
MOMENTS = {START, "start after a kill", "create", "update", "delete", GROUP, "checkpoint", "stop"}
MOMENTS |= {"create with a key", "update with a key"}


def _cannot_trace() -> str | None:
    """Return why strace cannot be used, if so: containers can forbid it."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False
    )
    return None if done.returncode == 0 else f"strace cannot be used here: {done.stderr.strip()}"


@pytest.fixture(autouse=True)
def _strace() -> None:
    if reason := _cannot_trace():
        pytest.skip(reason)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_power_cuts(tmp_path: Path, subject: Subject) -> None:
    """300 cuts while the service starts, writes, merges the WAL, is killed and stops; `make power-cuts` makes more."""
    subject.make(tmp_path, SEED, 1000)
    report = subject.cut(tmp_path, 300, SEED)
    print(f"\n{subject.name}, seed {SEED}\n\n{shown(report)}")
    assert failure(subject, report) == []
    assert report.total.total() == 300
    assert set(report.survivals) == set(SURVIVALS)
    if subject.migrates:
        assert list(report.moments) == [START]
        assert list((tmp_path / "left-1").glob(f"{DATABASE}.before-*"))
    elif not subject.pragmas:
        assert set(report.moments) >= MOMENTS


def test_power_cuts_of_a_database_that_was_there_before(tmp_path: Path) -> None:
    """Its rows are acknowledged from the beginning, whatever the start does with it."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    record(before, Plan(SEED, 100, {}))
    record(after, Plan(SEED + 1, 100, {}, before / "left-2" / DATABASE))
    report = cut_power(after, 100, SEED)
    assert failure(SUBJECTS[0], report) == [], report.examples
    assert report.moments[START].total() >= 10

"""The table of deliberate faults fits the program as it is; `python -m tests.mutations` runs it."""

from collections import Counter

import pytest

from app.settings import ROOT
from tests.mutations import FAULTS, Fault

each_fault = pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])


@each_fault
def test_a_fault_has_one_place(fault: Fault) -> None:
    """Its text is in its file, once, and is not what is put there."""
    assert (ROOT / fault.file).read_text("utf-8").count(fault.text) == 1
    assert fault.text != fault.put


@each_fault
def test_a_fault_leaves_a_program(fault: Fault) -> None:
    """That a file cannot be read is no fault that a test would have to find."""
    source = (ROOT / fault.file).read_text("utf-8")
    compile(source.replace(fault.text, fault.put), fault.file, "exec")


@each_fault
def test_the_tests_that_catch_a_fault_are_there(fault: Fault) -> None:
    """The file, and the function in it."""
    file, _, function = fault.caught_by.partition("::")
    source = (ROOT / file).read_text("utf-8")
    assert file.startswith("tests/")
    assert f"\ndef {function.partition('[')[0]}(" in source


def test_no_two_faults_are_the_same() -> None:
    """Neither by name nor by what they do."""
    assert max(Counter(fault.name for fault in FAULTS).values()) == 1
    assert max(Counter(fault[1:4] for fault in FAULTS).values()) == 1

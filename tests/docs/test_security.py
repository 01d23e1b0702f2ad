"""docs/security.md walks through all ten risks, and the tests that it names exist."""

import re

import pytest

from app.settings import ROOT
from tests.docs.markdown import read, spans, table

ROWS = table(read("docs/security.md"), "Security")


def test_all_ten_risks_are_listed() -> None:
    """In their order."""
    assert [row[0].partition(" ")[0] for row in ROWS] == [f"API{number}" for number in range(1, 11)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_named_tests_exist(row: list[str]) -> None:
    """A row without a test says that the prevention is not there yet."""
    named = spans(row[3])
    assert named or "Not yet" in row[2]
    for name in named:
        file, _, function = name.partition("::")
        source = (ROOT / file).read_text(encoding="utf-8")
        assert not function or re.search(rf"^def {function}\(", source, re.MULTILINE), name


def test_each_rule_that_is_off_has_a_reason() -> None:
    """The line above it is a comment, or another rule with the same reason."""
    lines = read("openapi/spectral.yaml").splitlines()
    for number, line in enumerate(lines):
        if re.fullmatch(r"  owasp:\S+: off", line):
            above = lines[number - 1]
            assert above.startswith("  # ") or re.fullmatch(r"  owasp:\S+: off", above), line

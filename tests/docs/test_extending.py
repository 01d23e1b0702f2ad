"""docs/extending.md says what there is to write; `make e2e` writes it and runs its commands."""

import re

from app.settings import ROOT
from tests.docs.markdown import read, spans
from tests.extending import PAGE, lines, steps


def test_it_says_how_many_lines_it_takes() -> None:
    """All together, and of what kind; README says so too."""
    said = re.search(r"(\d+) lines, (\d+) of them contract, (\d+) code and (\d+) tests", read(PAGE).replace("\n", " "))
    assert said
    assert list(map(int, said.groups())) == list(lines().values())
    assert "in {all} lines, of which {contract} are the contract".format(**lines()) in read("README.md")


def test_what_it_names_is_there_or_made_by_it() -> None:
    """Files, with a folder before them."""
    made = {step.file for step in steps() if step.how == "New file"}
    named = {span for span in spans(read(PAGE)) if re.fullmatch(r"[\w-]+(/[\w.-]+)+", span)}
    assert made <= named
    assert [path for path in named - made if not (ROOT / path).exists()] == []


def test_no_line_of_it_is_longer_than_120_characters() -> None:
    """As in the other documents."""
    assert [line for line in read(PAGE).splitlines() if len(line) > 120] == []

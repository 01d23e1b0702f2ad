"""docs/extending.md says what there is to write; `make e2e` writes it and runs its commands."""

import re

from app.settings import ROOT
from tests.docs.markdown import read, spans
from tests.extending import PAGE, operation, resource, steps


def test_an_operation_takes_ten_lines_of_contract_and_two_of_handler() -> None:
    """As the page says."""
    assert [step.lines for step in operation()] == [10, 2]
    assert "Ten lines of contract and two of handler already serve." in read(PAGE)


def test_a_resource_takes_fewer_than_30_lines() -> None:
    """They are all contract: the schema of the resource."""
    assert resource().file == "openapi/items.yaml"
    assert resource().lines < 30
    assert len(steps()) == 3


def test_the_files_that_it_names_exist_or_are_made_by_it() -> None:
    """Files, with a folder before them."""
    made = {step.file for step in steps() if step.how == "New file"}
    named = {span for span in spans(read(PAGE)) if re.fullmatch(r"[\w-]+(/[\w.-]+)+", span)}
    assert [path for path in named - made if not (ROOT / path).exists()] == []


def test_no_line_of_it_is_longer_than_120_characters() -> None:
    """Except rows of tables, as in the other documents."""
    lines = [line for line in read(PAGE).splitlines() if not line.startswith("|")]
    assert [line for line in lines if len(line) > 120] == []

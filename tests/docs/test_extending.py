"""docs/extending.md says what there is to write; `make e2e` writes it and runs its commands."""

from tests.docs.markdown import read
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

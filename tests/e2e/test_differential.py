"""This engine responds as plain Connexion does, in 20,000 pairs and more, but for the differences in the table."""

from pathlib import Path

from tests.contract.test_differential import compare
from tests.differential import both
from tests.explained import EXPLAINED
from tests.requests import by_hand, by_schemathesis


def test_twenty_thousand_pairs_have_no_unexplained_difference(tmp_path: Path) -> None:
    """Three quarters made by hand, the rest by Schemathesis. Each row of the table is met."""
    with both(tmp_path) as pair:
        compare(pair, by_hand(), 15_500)
        compare(pair, by_schemathesis(), 5_000)
        print(pair)
    assert pair.pairs >= 20_000
    assert [row.name for row in EXPLAINED if not pair.explained[row.name]] == []

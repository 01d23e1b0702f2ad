"""This engine and plain Connexion send the same responses to 20,000 pairs of requests, except where the table says."""

from pathlib import Path

from tests.contract.test_differential import compare
from tests.differential import both
from tests.explained import EXPLAINED
from tests.requests import by_hand, by_schemathesis


def test_twenty_thousand_pairs_have_no_unexplained_difference(tmp_path: Path) -> None:
    """Three quarters of the requests are written by hand, the rest by Schemathesis. Every row of the table is used."""
    with both(tmp_path) as pair:
        compare(pair, by_hand(), 15_500)
        compare(pair, by_schemathesis(), 5_000)
        print(pair)
    assert pair.pairs >= 20_000
    assert [row.name for row in EXPLAINED if not pair.explained[row.name]] == []

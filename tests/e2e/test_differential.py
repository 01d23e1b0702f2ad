"""Both pipelines give the same answers: 20,000 pairs and more, as the contract of the compiled one asks."""

from pathlib import Path

from tests.contract.test_differential import compare
from tests.differential import DIFFERENCES, both
from tests.requests import by_hand, by_schemathesis


def test_twenty_thousand_requests_get_the_same_answers_from_both(tmp_path: Path) -> None:
    """Three quarters made by hand, the rest by Schemathesis, all on the same two databases."""
    with both(tmp_path, DIFFERENCES) as pair:
        compare(pair, by_hand(), 15_500)
        compare(pair, by_schemathesis(), 5_000)
        print(pair)
    assert pair.pairs >= 20_000

"""Both pipelines send the same responses for at least 20,000 pairs of requests."""

from pathlib import Path

from tests.contract.test_differential import compare
from tests.differential import DIFFERENCES, both
from tests.requests import by_hand, by_schemathesis


def test_both_pipelines_send_the_same_responses(tmp_path: Path) -> None:
    """Three quarters of the requests are written by hand and the rest by Schemathesis, for two equal databases."""
    with both(tmp_path, DIFFERENCES) as pair:
        compare(pair, by_hand(), 15_500)
        compare(pair, by_schemathesis(), 5_000)
        print(pair)
    assert pair.pairs >= 20_000

"""Both pipelines give the same answers: status, headers and body, byte for byte.

A few hundred pairs here; `make e2e` has twenty thousand.
"""

from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.differential import DIFFERENCES, Pair, Sent, both
from tests.requests import by_hand, by_schemathesis

KEEP_GOING = settings(
    phases=[Phase.generate],  # what was sent before is part of a failure: shrinking would change it
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def compare(pair: Pair, requests: st.SearchStrategy[Sent], count: int) -> None:
    """Put so many requests to both."""

    @settings(KEEP_GOING, max_examples=count)
    @given(requests)
    def put(sent: Sent) -> None:
        pair.put(sent)

    put()


def test_requests_made_by_hand_get_the_same_answers(tmp_path: Path) -> None:
    """With anything wrong in path, query, headers and body."""
    with both(tmp_path, DIFFERENCES) as pair:
        compare(pair, by_hand(), 300)
        print(pair)


def test_requests_made_by_schemathesis_get_the_same_answers(tmp_path: Path) -> None:
    """Out of the spec, to keep to it and to break it."""
    with both(tmp_path, DIFFERENCES) as pair:
        compare(pair, by_schemathesis(), 200)
        print(pair)

"""This engine responds as plain Connexion does, but for the differences in the table: status, headers and body.

A few hundred pairs here; `make e2e` has twenty thousand.
"""

from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.settings import ROOT
from tests.differential import Pair, Sent, both
from tests.explained import EXPLAINED
from tests.requests import by_hand, by_schemathesis

KEEP_GOING = settings(
    phases=[Phase.generate],  # what was sent before is part of a failure: shrinking would change it
    database=None,
    derandomize=True,  # the same requests in every run
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


def test_requests_made_by_hand(tmp_path: Path) -> None:
    """With anything wrong in path, query, headers and body."""
    with both(tmp_path) as pair:
        compare(pair, by_hand(), 300)
        print(pair)


def test_requests_made_by_schemathesis(tmp_path: Path) -> None:
    """Out of the contract, valid and not."""
    with both(tmp_path) as pair:
        compare(pair, by_schemathesis(), 200)
        print(pair)


def test_the_documents_show_the_table() -> None:
    """Row by row, in ARCHITECTURE.md."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    for row in EXPLAINED:
        assert f"| {row.name} | {row.plain} | {row.engine} |" in text

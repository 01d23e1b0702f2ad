"""A figure is compared with its target in the right direction."""

from benchmarks import targets
from benchmarks.registry import LIMIT, LITESTAR


def test_a_peer_has_to_cost_several_times_as_much() -> None:
    """The ratio is the peer's cost divided by the service's."""
    assert targets.beside(LITESTAR, "get-one", 1.5) == "1.50 (≥ 1.5: pass)"
    assert targets.beside(LITESTAR, "get-one", 1.49) == "1.49 (≥ 1.5: **miss**)"


def test_the_limit_may_be_a_little_cheaper() -> None:
    """The figure is the service's cost divided by the limit's."""
    assert targets.beside(LIMIT, "get-one", 1 / 1.2) == "1.20 (≤ 1.2: pass)"
    assert targets.beside(LIMIT, "get-one", 0.5) == "2.00 (≤ 1.2: **miss**)"


def test_nothing_is_reached_without_a_target_or_a_figure() -> None:
    """The cell is empty without a target, and has a dash without a figure."""
    assert targets.beside(LIMIT, "304", 1.0) == ""
    assert targets.beside(LIMIT, "get-one", None) == "-"

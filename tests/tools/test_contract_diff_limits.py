"""A new or lower rate limit breaks clients that kept the old one; a higher one, or none, does not."""

from typing import Any

import pytest

from tests.tools.contracts import BASE, GONE, PUT, B, C, edited, said

RATE, OWN = "x-rate-limit", f"{PUT} x-rate-limit"


def limit(requests: int, seconds: int = 60) -> dict[str, int]:
    """A limit as it is in a contract."""
    return {"requests": requests, "seconds": seconds}


@pytest.mark.parametrize(("place", "where"), [(RATE, "the contract"), (OWN, "PUT /things/{id}")])
@pytest.mark.parametrize(
    ("was", "now", "there", "back"),
    [
        (limit(100), limit(99), B, C),
        (limit(100), limit(100, 61), B, C),
        (limit(100), limit(200, 120), C, B),
        (limit(100), limit(150, 90), B, B),
        (limit(100), limit(99, 1), B, B),
        (limit(100), limit(6000, 3600), C, B),
    ],
)
def test_a_limit_is_lower_if_it_refuses_who_kept_the_old_one(
    place: str, where: str, was: Any, now: Any, there: str, back: str
) -> None:
    """Whose windows can be longer or shorter, and are used up at once."""
    old, new = edited((place, was)), edited((place, now))
    texts = [f"{each['requests']} requests in {each['seconds']} s" for each in (was, now)]
    assert said(old, new) == [f"{there} {where}: x-rate-limit was {texts[0]}, is {texts[1]}"]
    assert said(new, old) == [f"{back} {where}: x-rate-limit was {texts[1]}, is {texts[0]}"]


@pytest.mark.parametrize("none", [GONE, False, "many", {"requests": 5}])
def test_a_new_limit_breaks_clients(none: Any) -> None:
    """They could send any number."""
    old = BASE if none is GONE else edited((RATE, none))
    new = edited((RATE, limit(100)))
    assert said(old, new) == ["breaking the contract: x-rate-limit was none, is 100 requests in 60 s"]
    assert said(new, old) == ["compatible the contract: x-rate-limit was 100 requests in 60 s, is none"]


@pytest.mark.parametrize(
    ("own", "there", "back"),
    [
        (limit(99), ["breaking PUT /things/{id}: x-rate-limit was 100 requests in 60 s, is 99 requests in 60 s"],
         ["compatible PUT /things/{id}: x-rate-limit was 99 requests in 60 s, is 100 requests in 60 s"]),
        (False, ["compatible PUT /things/{id}: x-rate-limit was 100 requests in 60 s, is none"],
         ["breaking PUT /things/{id}: x-rate-limit was none, is 100 requests in 60 s"]),
        (limit(100), [], []),
    ],
)  # fmt: skip
def test_without_one_of_its_own_an_operation_has_that_of_the_contract(
    own: Any, there: list[str], back: list[str]
) -> None:
    """Its own is compared with that."""
    old, new = edited((RATE, limit(100))), edited((RATE, limit(100)), (OWN, own))
    assert said(old, new) == there
    assert said(new, old) == back
    assert said(new, new) == []

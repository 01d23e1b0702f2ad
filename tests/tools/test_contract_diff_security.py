"""Which changes of credentials break clients."""

from typing import Any

import pytest

from tests.tools.contracts import GONE, PUT, diff, edited, said

KEY = {"type": "apiKey", "in": "header", "name": "X-Key"}
SCHEMES = ("components securitySchemes", {"key": KEY, "other": {**KEY, "name": "X-Other"}})
OPEN: list[Any] = []
ONE: list[Any] = [{"key": []}]
BOTH: list[Any] = [{"key": [], "other": []}]


@pytest.mark.parametrize(
    ("was", "now", "breaks"),
    [
        (OPEN, ONE, True),
        (ONE, OPEN, False),
        (ONE, BOTH, True),
        (BOTH, ONE, False),
        (ONE, [{"key": []}, {"other": []}], False),
        ([{"key": []}, {"other": []}], ONE, True),
        (ONE, [{}, {"key": []}], False),
        ([{"key": ["read"]}], [{"key": ["read", "write"]}], True),
        ([{"key": ["read", "write"]}], [{"key": ["read"]}], False),
        ([{"key": ["read"]}], [{"key": ["write"]}], True),
        ([{"key": ["read"]}, {"other": []}], [{"key": []}, {"other": []}], False),
        (ONE, [{"unknown": []}], True),
        ([{"unknown": ["a"]}], [{"unknown": []}], False),
    ],
)
def test_what_was_enough_to_be_let_in_must_be_enough(was: Any, now: Any, breaks: bool) -> None:  # noqa: FBT001  # a column
    """Wherever it is said: for the operation, or for all of them."""
    old, new = (edited(SCHEMES, ("security", security)) for security in (was, now))
    assert [change.breaks for change in diff(old, new)] == [breaks]
    assert [change.breaks for change in diff(old, edited(SCHEMES, (f"{PUT} security", now)))] == [breaks]


OAUTH: dict[str, Any] = {
    "type": "oauth2",
    "flows": {"clientCredentials": {"tokenUrl": "/token", "scopes": {"read": "Read", "write": "Write"}}},
}


@pytest.mark.parametrize(
    ("place", "put", "there", "back"),
    [
        ("flows clientCredentials scopes", {"read": "Look"}, [], []),
        ("flows clientCredentials scopes", GONE, [], []),
        ("description", "Ask for a token", [], []),
        ("bearerFormat", "JWT", [], []),
        ("flows implicit", {"authorizationUrl": "/ask", "scopes": {}}, [False], [True]),
        ("flows clientCredentials refreshUrl", "/again", [False], [True]),
        ("flows clientCredentials tokenUrl", "/tokens", [True], [True]),
        ("flows", None, [True], [False]),
        ("type", "http", [True], [True]),
    ],
)
def test_what_a_scheme_offers_beside_what_is_asked_for(
    place: str, put: Any, there: list[bool], back: list[bool]
) -> None:
    """The scopes that a scheme lists say nothing of what an operation requires; its flows and their URLs do."""
    secured: tuple[Any, ...] = ("security", [{"oauth": ["read"]}])
    old = edited(("components securitySchemes", {"oauth": OAUTH}), secured)
    new = edited(
        ("components securitySchemes", {"oauth": OAUTH}), secured, (f"components securitySchemes oauth {place}", put)
    )
    assert [change.breaks for change in diff(old, new)] == there
    assert [change.breaks for change in diff(new, old)] == back


def test_another_kind_of_credentials_breaks() -> None:
    """Under the same name."""
    old = edited(SCHEMES, ("security", ONE))
    new = edited(("components securitySchemes", {"key": {**KEY, "name": "X-Token"}}), ("security", ONE))
    assert said(old, new) == ["breaking PUT /things/{id}: the scheme of key is another"]

"""No part of a contract has to be there."""

from copy import deepcopy
from typing import Any

import pytest

from tests.tools.contracts import BASE, GONE, PUT, diff, edited


@pytest.mark.parametrize(
    ("place", "put"),
    [
        ("paths", None),
        ("paths", GONE),
        ("paths", []),
        ("paths /things/{id}", None),
        (PUT, None),
        (f"{PUT} responses", GONE),
        (f"{PUT} responses", None),
        (f"{PUT} responses 200", None),
        (f"{PUT} responses 200", []),
        (f"{PUT} responses 200 headers", None),
        (f"{PUT} responses 200 headers ETag", None),
        (f"{PUT} responses 200 content", None),
        (f"{PUT} parameters", None),
        (f"{PUT} parameters 0", None),
        (f"{PUT} parameters 0", {}),
        (f"{PUT} parameters 0 schema", None),
        (f"{PUT} requestBody", "none"),
        (f"{PUT} requestBody content application/json", None),
        (f"{PUT} security", [{"unknown": None}, None, "none"]),
        (f"{PUT} security", {"unknown": []}),
        (f"{PUT} tags", None),
        ("components", None),
        ("components schemas", GONE),
        ("components schemas Thing", None),
        ("components schemas Thing", True),
        ("components schemas Thing required", "name"),
        ("components schemas Thing required", [1, None]),
        ("components schemas Thing properties", ["name"]),
        ("components schemas Thing properties size", False),
        ("components schemas Thing properties size maximum", "9"),
        ("components schemas Thing properties size multipleOf", 0),
        ("components schemas Thing properties kind enum", None),
        ("components schemas Thing properties kind enum", "a"),
        ("components schemas Thing properties kind type", {"a": 1}),
        ("components schemas Thing properties either oneOf", None),
        ("components schemas Thing additionalProperties", None),
        ("components schemas Name pattern", None),
        ("components schemas Name pattern", "("),
        ("info", GONE),
        ("servers", "none"),
        ("x-body-limit", "large"),
        ("x-rate-limit", "many"),
        ("x-rate-limit", {"requests": 0, "seconds": None}),
        (f"{PUT} x-rate-limit", True),
    ],
    ids=str,
)
def test_incomplete_contracts_can_be_compared(place: str, put: Any) -> None:
    """There and back, and with themselves."""
    new = edited((place, put))
    assert diff(new, deepcopy(new)) == []
    assert isinstance(diff(BASE, new), list)
    assert isinstance(diff(new, BASE), list)

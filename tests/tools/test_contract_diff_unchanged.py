"""What says the same in other words is no change."""

from copy import deepcopy
from typing import Any

import pytest

from tests.support import specification
from tests.tools.contracts import BASE, GONE, PUT, diff, edited

PATH = BASE["paths"]["/things/{id}"]
BODY = PATH["put"]["requestBody"]["content"]["application/json"]


@pytest.mark.parametrize(
    "edits",
    [
        [("info title", "Other things")],
        [(f"{PUT} summary", "Put it")],
        [("components schemas Name description", "A name"), ("components schemas Name example", "abc")],
        [(f"{PUT} x-anything", 1)],
        [("components schemas Thing required", ["name"])],
        [("components schemas Inner", dict(reversed(BASE["components"]["schemas"]["Inner"].items())))],
        [("components schemas Thing properties labels items", BASE["components"]["schemas"]["Name"])],
        [("components schemas Thing properties name", BASE["components"]["schemas"]["Name"])],
        [("components schemas Thing properties name", {"$ref": "#/components/schemas/Name"})],
        [("components schemas Thing properties kind minLength", 0)],
        [("components schemas Thing properties open additionalProperties", True)],
        [
            ("components schemas Label", BASE["components"]["schemas"]["Name"]),
            ("components schemas Thing properties labels items", {"$ref": "#/components/schemas/Label"}),
        ],
        [
            ("paths /things/{id} parameters", GONE),
            (f"{PUT} parameters", PATH["parameters"] + PATH["put"]["parameters"]),
        ],
        [(f"{PUT} parameters 1", BASE["components"]["parameters"]["Mode"])],
        [(f"{PUT} parameters 0 explode", True), (f"{PUT} parameters 0 style", "form")],
        [(f"{PUT} responses 404", BASE["components"]["responses"]["Gone"])],
        [("servers", GONE)],
        [("components parameters Mode explode", True)],
        [(f"{PUT} requestBody content", {"Application/JSON": BODY})],
        [("components parameters Mode schema minimum", 3)],
    ],
    ids=lambda edits: str(edits[0][0]),
)  # fmt: skip
def test_what_says_the_same_is_no_change(edits: list[tuple[str, Any]]) -> None:
    """In other words, in another place, or in another order."""
    new = edited(*edits)
    assert diff(BASE, new) == diff(new, BASE) == []


def test_this_contract_is_what_it_is() -> None:
    """Nothing in it looks changed to itself."""
    assert diff(specification(), deepcopy(specification())) == []

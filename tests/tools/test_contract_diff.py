"""Which changes of a contract break its clients: each kind, there and back, in requests and in responses."""

from copy import deepcopy
from typing import Any, NamedTuple

import pytest

from tests.support import specification
from tests.tools.contracts import BASE, GONE, PUT, TEXT, B, C, diff, edited, said


def verdict(old: Any, new: Any, part: str) -> str:
    """`breaking` or `compatible` if the part changed, else `-`."""
    found = [change.breaks for change in diff(old, new) if f", {part}" in change.where]
    return "-" if not found else "breaking" if any(found) else "compatible"


NO = "-"


class Row(NamedTuple):
    """An edit of the schema Thing, and its verdict for those who send one and those who get one; there, and back."""

    place: str
    put: Any
    sent: str
    got: str
    sent_back: str
    got_back: str

    def __str__(self) -> str:
        return f"{self.place} {'gone' if self.put is GONE else self.put}"


THING = [
    # Limits
    Row("name minLength", 2, B, C, C, B),
    Row("name maxLength", 40, B, C, C, B),
    Row("name maxLength", GONE, C, B, B, C),
    Row("name pattern", GONE, C, B, B, C),
    Row("name pattern", "^b", B, B, B, B),
    Row("name format", "email", B, C, C, B),
    Row("size minimum", 2, B, C, C, B),
    Row("size maximum", 10, C, B, B, C),
    Row("size exclusiveMaximum", True, B, C, C, B),
    Row("size multipleOf", 2, B, C, C, B),
    Row("labels maxItems", 4, B, C, C, B),
    Row("labels minItems", 1, B, C, C, B),
    Row("labels uniqueItems", True, B, C, C, B),
    Row("labels items", {"type": "string", "maxLength": 9}, B, B, B, B),
    Row("open maxProperties", 3, B, C, C, B),
    # Types and values
    Row("size type", "number", C, B, B, C),
    Row("size type", "string", B, B, B, B),
    Row("size nullable", True, C, B, B, C),
    Row("kind enum", ["a"], B, C, C, B),
    Row("kind enum", ["a", "c"], B, B, B, B),
    Row("kind enum", GONE, C, B, B, C),
    Row("size default", 1, B, C, B, C),
    Row("size not", {"enum": [3]}, B, C, C, B),
    # Members
    Row("size", GONE, B, B, C, C),
    Row("new", TEXT, C, C, B, B),
    Row("size readOnly", True, B, NO, C, NO),
    Row("size writeOnly", True, NO, B, NO, C),
    Row("inner", {**BASE["components"]["schemas"]["Inner"], "additionalProperties": True}, C, C, B, C),
    Row("inner", {**BASE["components"]["schemas"]["Inner"], "additionalProperties": TEXT}, C, C, B, C),
    Row("open additionalProperties", TEXT, B, C, C, B),
    Row("open additionalProperties", False, B, C, C, C),
    Row("open properties b", TEXT, C, C, C, B),
    Row("open properties a maxLength", 3, B, C, C, B),
    # Combinations
    Row("name allOf", [{"$ref": "#/components/schemas/Name"}, {"maxLength": 7}], B, C, C, B),
    Row("either oneOf", [{"$ref": "#/components/schemas/Name"}], B, C, C, B),
    Row("either oneOf 1 maximum", 7, B, C, C, B),
    Row("either", TEXT, B, B, B, B),
    Row("size anyOf", [{"minimum": 7}, {"maximum": 3}], B, C, C, B),
]


@pytest.mark.parametrize("row", THING, ids=str)
def test_what_an_edit_of_a_schema_does_to_clients(row: Row) -> None:
    """What they send must still be taken, and what they get must be what was announced."""
    place = f"components schemas Thing properties {row.place}"
    if row.place.startswith("name ") and "allOf" not in row.place:
        place = f"components schemas Name {row.place.removeprefix('name ')}"
    new = edited((place, row.put))
    assert (verdict(BASE, new, "request body"), verdict(BASE, new, "response 200")) == (row.sent, row.got)
    assert (verdict(new, BASE, "request body"), verdict(new, BASE, "response 200")) == (row.sent_back, row.got_back)


def test_what_must_be_there() -> None:
    """A member that must be sent breaks those who did not; one that may be missing breaks those who count on it."""
    new = edited(("components schemas Thing required", ["name", "size"]))
    assert [verdict(BASE, new, part) for part in ("request body", "response 200")] == [B, C]
    assert [verdict(new, BASE, part) for part in ("request body", "response 200")] == [C, B]


PATH = BASE["paths"]["/things/{id}"]
CONTRACT = [
    # Each edit, and what is said of it there, and back
    ("paths /things/{id}", GONE, ["breaking PUT /things/{id}: is gone"], ["compatible PUT /things/{id}: is new"]),
    (
        f"{PUT} operationId",
        "set_thing",
        ["breaking PUT /things/{id}: operationId was put_thing, is set_thing"],
        ["breaking PUT /things/{id}: operationId was set_thing, is put_thing"],
    ),
    (
        f"{PUT} tags",
        ["all"],
        ["breaking PUT /things/{id}: tags was ['things'], is ['all']"],
        ["breaking PUT /things/{id}: tags was ['all'], is ['things']"],
    ),
    (f"{PUT} deprecated", True, ["compatible PUT /things/{id}: is deprecated"], []),
    (
        f"{PUT} parameters",
        [{"$ref": "#/components/parameters/Mode"}],
        ["breaking PUT /things/{id}, query parameter tags: is gone"],
        ["compatible PUT /things/{id}, query parameter tags: is new and optional"],
    ),
    (
        f"{PUT} parameters 0 required",
        True,
        ["breaking PUT /things/{id}, query parameter tags: is required"],
        ["compatible PUT /things/{id}, query parameter tags: is no longer required"],
    ),
    (
        f"{PUT} parameters 0 explode",
        False,
        ["breaking PUT /things/{id}, query parameter tags: is written in another form"],
        ["breaking PUT /things/{id}, query parameter tags: is written in another form"],
    ),
    (
        f"{PUT} parameters 0 in",
        "header",
        [
            "breaking PUT /things/{id}, query parameter tags: is gone",
            "compatible PUT /things/{id}, header parameter tags: is new and optional",
        ],
        [
            "breaking PUT /things/{id}, header parameter tags: is gone",
            "compatible PUT /things/{id}, query parameter tags: is new and optional",
        ],
    ),
    (
        "components parameters Mode schema enum",
        ["a"],
        ["breaking PUT /things/{id}, header parameter x-mode: the value 'b' is gone"],
        ["compatible PUT /things/{id}, header parameter x-mode: the value 'b' is new"],
    ),
    (
        "components parameters Mode schema default",
        "b",
        ["breaking PUT /things/{id}, header parameter x-mode: default was a, is b"],
        ["breaking PUT /things/{id}, header parameter x-mode: default was b, is a"],
    ),
    (
        "paths /things/{id} parameters 0 schema maximum",
        8,
        ["breaking PUT /things/{id}, path parameter id: maximum was 9, is 8"],
        ["compatible PUT /things/{id}, path parameter id: maximum was 8, is 9"],
    ),
    (
        f"{PUT} requestBody",
        GONE,
        ["breaking PUT /things/{id}, request body: is gone"],
        ["compatible PUT /things/{id}, request body: is new and optional"],
    ),
    (
        f"{PUT} requestBody required",
        True,
        ["breaking PUT /things/{id}, request body: is required"],
        ["compatible PUT /things/{id}, request body: is no longer required"],
    ),
    (
        f"{PUT} requestBody content application/xml",
        {},
        ["compatible PUT /things/{id}, request body: media type application/xml is new"],
        ["breaking PUT /things/{id}, request body: media type application/xml is gone"],
    ),
    (
        f"{PUT} responses 404",
        GONE,
        ["breaking PUT /things/{id}, response 404: is gone"],
        ["compatible PUT /things/{id}, response 404: is new"],
    ),
    (
        f"{PUT} responses 202",
        {"description": "Later"},
        ["breaking PUT /things/{id}, response 202: is new"],
        ["breaking PUT /things/{id}, response 202: is gone"],
    ),
    (
        f"{PUT} responses 304",
        {"description": "As before"},
        ["compatible PUT /things/{id}, response 304: is new"],
        ["breaking PUT /things/{id}, response 304: is gone"],
    ),
    (
        "components responses Gone content",
        {"text/html": {}},
        [
            "breaking PUT /things/{id}, response 404: media type text/plain is gone",
            "compatible PUT /things/{id}, response 404: media type text/html is new",
        ],
        [
            "breaking PUT /things/{id}, response 404: media type text/html is gone",
            "compatible PUT /things/{id}, response 404: media type text/plain is new",
        ],
    ),
    (
        f"{PUT} responses 200 headers ETag",
        GONE,
        ["breaking PUT /things/{id}, response 200: header etag is gone"],
        ["compatible PUT /things/{id}, response 200: header etag is new"],
    ),
    (
        f"{PUT} responses 200 headers ETag required",
        False,
        ["breaking PUT /things/{id}, response 200 header etag: is no longer required"],
        ["compatible PUT /things/{id}, response 200 header etag: is required"],
    ),
    (
        f"{PUT} responses 200 headers ETag schema maxLength",
        10,
        ["breaking PUT /things/{id}, response 200 header etag: maxLength was 9, is 10"],
        ["compatible PUT /things/{id}, response 200 header etag: maxLength was 10, is 9"],
    ),
    (
        "servers 0 url",
        "/v2",
        ["breaking the contract: server / is gone", "compatible the contract: server /v2 is new"],
        ["breaking the contract: server /v2 is gone", "compatible the contract: server / is new"],
    ),
    (
        "x-body-limit",
        999,
        ["breaking the contract: x-body-limit was 1000, is 999"],
        ["compatible the contract: x-body-limit was 999, is 1000"],
    ),
    (
        f"{PUT} callbacks",
        {"done": {}},
        ["compatible PUT /things/{id}: callback done is new"],
        ["breaking PUT /things/{id}: callback done is gone"],
    ),
]


@pytest.mark.parametrize(
    ("place", "put", "there", "back"), CONTRACT, ids=lambda part: part if str(part) == part else ""
)
def test_what_is_said_of_a_change(place: str, put: Any, there: list[str], back: list[str]) -> None:
    """To the letter, there and back; breaking changes come first."""
    new = edited((place, put))
    assert said(BASE, new) == there
    assert said(new, BASE) == back


def test_the_name_of_a_paths_parameter_is_part_of_sdks() -> None:
    """It is the same address, and another argument."""
    item = deepcopy(BASE["paths"]["/things/{id}"])
    item["parameters"][0]["name"] = "thing_id"
    assert said(BASE, edited(("paths", {"/things/{thing_id}": item}))) == [
        "breaking PUT /things/{id}, path parameter id: is gone",
        "breaking PUT /things/{id}, path parameter thing_id: is new and required",
    ]


def test_the_name_of_a_model_is_part_of_sdks() -> None:
    """Generators make classes of objects and enums, and of nothing else."""
    inner = BASE["components"]["schemas"]["Inner"]
    reference = {"$ref": "#/components/schemas/Core"}
    new = edited(("components schemas Core", inner), ("components schemas Thing properties inner", reference))
    assert said(BASE, new) == [
        "breaking PUT /things/{id}, request body, inner: the schema Inner is called Core",
        "breaking PUT /things/{id}, response 200, inner: the schema Inner is called Core",
    ]


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
    ],
)
def test_what_was_enough_to_be_let_in_must_be_enough(was: Any, now: Any, breaks: bool) -> None:  # noqa: FBT001  # a column
    """Wherever it is said: for the operation, or for all of them."""
    old, new = (edited(SCHEMES, ("security", security)) for security in (was, now))
    assert [change.breaks for change in diff(old, new)] == [breaks]
    assert [change.breaks for change in diff(old, edited(SCHEMES, (f"{PUT} security", now)))] == [breaks]


def test_another_kind_of_credentials_breaks() -> None:
    """Under the same name."""
    old = edited(SCHEMES, ("security", ONE))
    new = edited(("components securitySchemes", {"key": {**KEY, "name": "X-Token"}}), ("security", ONE))
    assert said(old, new) == ["breaking PUT /things/{id}: the scheme of key is another"]


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
    ],
    ids=lambda edits: str(edits[0][0]),
)  # fmt: skip
def test_what_says_the_same_is_no_change(edits: list[tuple[str, Any]]) -> None:
    """In other words, in another place, or in another order."""
    new = edited(*edits)
    assert diff(BASE, new) == diff(new, BASE) == []


def test_members_of_two_parts_are_compared_together() -> None:
    """An object that is put together by allOf is what it was in one piece."""
    parts = [
        {"type": "object", "properties": {"x": {"type": "boolean"}}},
        {"additionalProperties": False, "required": ["x"]},
    ]
    new = edited(("components schemas Inner", {"allOf": parts}))
    assert said(BASE, new) == [
        "breaking PUT /things/{id}, request body, inner.x: is required",
        "compatible PUT /things/{id}, response 200, inner.x: is required",
    ]


def test_this_contract_is_what_it_is() -> None:
    """Nothing in it looks changed to itself."""
    assert diff(specification(), deepcopy(specification())) == []

"""What is said of each change of an operation, its parameters, its body and its responses, there and back."""

from copy import deepcopy
from typing import Any

import pytest

from tests.tools.contracts import BASE, GONE, PUT, edited, said

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
        f"{PUT} responses default",
        {"description": "Anything else"},
        ["compatible PUT /things/{id}, response default: is new"],
        ["breaking PUT /things/{id}, response default: is gone"],
    ),
    (
        f"{PUT} parameters 0 allowEmptyValue",
        True,
        ["compatible PUT /things/{id}, query parameter tags: allowEmptyValue was False, is True"],
        ["breaking PUT /things/{id}, query parameter tags: allowEmptyValue was True, is False"],
    ),
    (
        f"{PUT} parameters 0",
        {"name": "tags", "in": "query", "content": {"text/plain": {}}},
        ["breaking PUT /things/{id}, query parameter tags: is written in another form"],
        ["breaking PUT /things/{id}, query parameter tags: is written in another form"],
    ),
    (
        f"{PUT} requestBody content",
        {"application/*": {"schema": {"$ref": "#/components/schemas/Thing"}}},
        ["compatible PUT /things/{id}, request body: media type application/* is new"],
        [
            "breaking PUT /things/{id}, request body: media type application/* is gone",
            "compatible PUT /things/{id}, request body: media type application/json is new",
        ],
    ),
    (
        f"{PUT} servers",
        [{"url": "/v2"}],
        ["breaking PUT /things/{id}: server / is gone", "compatible PUT /things/{id}: server /v2 is new"],
        ["breaking PUT /things/{id}: server /v2 is gone", "compatible PUT /things/{id}: server / is new"],
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
    """Exactly, there and back; breaking changes come first."""
    new = edited((place, put))
    assert said(BASE, new) == there
    assert said(new, BASE) == back


def test_the_name_of_a_paths_parameter_is_part_of_sdks() -> None:
    """It is the same url, and another argument."""
    item = deepcopy(BASE["paths"]["/things/{id}"])
    item["parameters"][0]["name"] = "thing_id"
    assert said(BASE, edited(("paths", {"/things/{thing_id}": item}))) == [
        "breaking PUT /things/{id}, path parameter id: is gone",
        "breaking PUT /things/{id}, path parameter thing_id: is new and required",
    ]

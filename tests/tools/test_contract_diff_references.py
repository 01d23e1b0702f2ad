"""A change is seen behind every reference, and each change in its direction."""

from copy import deepcopy
from typing import Any

import pytest

from tests.tools.contracts import BASE, PUT, B, C, diff, edited, said

REFERENCE = {"$ref": "#/components/schemas/Deep"}
DEEP = ("components schemas Deep", {"type": "string", "maxLength": 9})
SHORTER, LONGER = ("components schemas Deep maxLength", 8), ("components schemas Deep maxLength", 10)
AT = "PUT /things/{id}"
OPEN = "components schemas Thing properties open"
BODY, OK = f"{AT}, request body", f"{AT}, response 200"


def verdicts(*edits: tuple[str, Any]) -> dict[str, bool]:
    """Which part breaks, when the schema `Deep` behind these edits becomes shorter."""
    return {change.where: change.breaks for change in diff(edited(DEEP, *edits), edited(DEEP, *edits, SHORTER))}


@pytest.mark.parametrize(
    ("place", "value", "path"),
    [
        (f"{OPEN} additionalProperties", REFERENCE, "open.*"),
        (f"{OPEN} properties b", {"type": "array", "items": REFERENCE}, "open.b[]"),
        (f"{OPEN} allOf", [{"properties": {"b": REFERENCE}}], "open.b"),
        (f"{OPEN} properties b", {"allOf": [{"allOf": [REFERENCE]}]}, "open.b"),
        (f"{OPEN} properties b", {"oneOf": [REFERENCE]}, "open.b"),
        (f"{OPEN} properties b", {"anyOf": [REFERENCE, {"type": "integer"}]}, "open.b (anyOf Deep)"),
        (f"{OPEN} properties b", {"oneOf": [{"items": REFERENCE}, {"type": "integer"}]}, "open.b (oneOf 0)[]"),
        (f"{OPEN} properties b", {"$ref": "#/components/schemas/Deep", "default": "a"}, "open.b"),
        (
            f"{OPEN} discriminator",
            {"propertyName": "a", "mapping": {"x": "Deep"}},
            "open (discriminator x)",
        ),
        (
            f"{OPEN} discriminator",
            {"propertyName": "a", "mapping": {"x": "#/components/schemas/Deep"}},
            "open (discriminator x)",
        ),
    ],
    ids=str,
)
def test_references_in_schemas_are_followed(place: str, value: Any, path: str) -> None:
    """A shorter text breaks those who send it, and nobody who receives it."""
    assert verdicts((place, value)) == {f"{BODY}, {path}": True, f"{OK}, {path}": False}


def test_less_is_more_under_not() -> None:
    """What is excluded is narrower, so more is allowed."""
    path = "open.b (not)"
    expected = {f"{BODY}, {path}": False, f"{OK}, {path}": True}
    assert verdicts((f"{OPEN} properties b", {"not": REFERENCE})) == expected
    twice = {"not": {"not": {"properties": {"c": REFERENCE}}}}
    assert verdicts((f"{OPEN} properties b", twice)) == {
        f"{BODY}, {path} (not).c": True,
        f"{OK}, {path} (not).c": False,
    }


JSON = {"application/json": {"schema": REFERENCE}}


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        (f"{PUT} parameters 0", {"name": "q", "in": "query", "content": JSON}, {f"{AT}, query parameter q": True}),
        (f"{PUT} responses 200 headers ETag", {"content": JSON}, {f"{OK} header etag": False}),
        (f"{PUT} responses 200 headers ETag", {"schema": REFERENCE}, {f"{OK} header etag": False}),
        (
            f"{PUT} requestBody content",
            {"multipart/form-data": {"encoding": {"a": {"headers": {"X-A": {"schema": REFERENCE}}}}}},
            {f"{BODY}, a": True},
        ),
        (
            f"{PUT} callbacks",
            {"done": {"{$request.query.url}": {"post": {"requestBody": {"content": JSON}, "responses": {}}}}},
            {f"{AT}, callback done POST {{$request.query.url}}, request body": False},
        ),
        (
            f"{PUT} callbacks",
            {"done": {"{$request.query.url}": {"post": {"responses": {"200": {"content": JSON}}}}}},
            {f"{AT}, callback done POST {{$request.query.url}}, response 200": True},
        ),
        (f"{OPEN} patternProperties", {"^x": REFERENCE}, {f"{BODY}, open": True, f"{OK}, open": True}),
    ],
    ids=str,
)
def test_references_outside_of_schemas_are_followed(place: str, value: Any, expected: dict[str, bool]) -> None:
    """In a callback the service sends the request, and the client the response."""
    assert verdicts((place, value)) == expected


def test_every_kind_of_component_can_be_a_reference() -> None:
    """Path items, parameters, bodies, responses, headers, callbacks, security schemes, and references to references."""
    item = deepcopy(BASE["paths"]["/things/{id}"])
    components = {
        "requestBodies": {"Body": item["put"]["requestBody"], "Same": {"$ref": "#/components/requestBodies/Body"}},
        "headers": {"ETag": item["put"]["responses"]["200"]["headers"]["ETag"]},
        "callbacks": {"Done": {"/done": {"post": {"operationId": "done"}}}},
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
    }
    whole = deepcopy(item)
    whole["put"] |= {"callbacks": {"done": components["callbacks"]["Done"]}, "security": [{"key": []}]}
    parts = deepcopy(whole)
    parts["put"]["requestBody"] = {"$ref": "#/components/requestBodies/Same"}
    parts["put"]["responses"]["200"]["headers"]["ETag"] = {"$ref": "#/components/headers/ETag"}
    parts["put"]["callbacks"]["done"] = {"$ref": "#/components/callbacks/Done"}
    parts["put"]["parameters"][0] = {"$ref": "#/paths/~1things~1%7Bid%7D/put/parameters/0"}
    old = {**BASE, "components": BASE["components"] | components}
    new = deepcopy(old)
    schemes = new["components"]["securitySchemes"]
    new["components"]["securitySchemes"] = {"key": {"$ref": "#/x-schemes/key"}}
    new |= {"x-items": {"thing": parts}, "x-schemes": schemes}
    old["paths"], new["paths"] = {"/things/{id}": whole}, {"/things/{id}": {"$ref": "#/x-items/thing"}}
    new["x-items"]["thing"]["put"]["parameters"][0] = whole["put"]["parameters"][0]
    assert diff(old, new) == diff(new, old) == []
    components["callbacks"]["Done"]["/done"]["post"]["operationId"] = "ready"
    new["components"]["callbacks"]["Done"] = deepcopy(components["callbacks"]["Done"])
    old["paths"]["/things/{id}"]["put"]["callbacks"]["done"] = {"/done": {"post": {"operationId": "done"}}}
    assert [change.breaks for change in diff(old, new)] == [True]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/components/schemas/Deep"},
        {"allOf": [{"$ref": "#/components/schemas/Deep"}, {"type": "object"}]},
        {"allOf": [{"properties": {"a": REFERENCE}}, {"properties": {"a": {"type": "object"}}}]},
        {"not": {"$ref": "#/components/schemas/Deep"}},
        {"additionalProperties": {"$ref": "#/components/schemas/Deep"}},
        {"oneOf": [{"$ref": "#/components/schemas/Deep"}, {"type": "string"}]},
        {"anyOf": [{"items": {"$ref": "#/components/schemas/Deep"}}, {"$ref": "#/components/schemas/Deep"}]},
        {"discriminator": {"mapping": {"x": "Deep", "y": "#/none"}}, "contains": {"$ref": "#/components/schemas/Deep"}},
        {"$ref": "#/none"},
    ],
    ids=str,
)
def test_schemas_that_contain_themselves_can_be_compared(schema: Any) -> None:
    """Each pair of schemas is compared once."""
    old = edited((f"{PUT} requestBody content application/json schema", REFERENCE), ("components schemas Deep", schema))
    new = deepcopy(old)
    new["components"]["schemas"]["Deep"]["maxProperties"] = 3
    new["components"]["schemas"]["Deep"]["type"] = "object"
    assert diff(old, deepcopy(old)) == []
    assert diff(old, new) != []


def test_a_reference_to_itself_can_be_compared() -> None:
    """It allows everything, because nothing is said."""
    loop = edited(("components schemas Name", {"$ref": "#/components/schemas/Name"}))
    assert diff(loop, deepcopy(loop)) == []
    assert B in said(BASE, loop)[0]


def test_a_change_in_many_places_is_told_once_for_each_part() -> None:
    """Not again for `either`, which has the same schema as `labels`, nor for the things within a thing."""
    assert said(BASE, edited(("components schemas Name maxLength", 7))) == [
        f"{B} {BODY}, name: maxLength was 80, is 7",
        f"{B} {BODY}, labels[]: maxLength was 80, is 7",
        f"{C} {OK}, name: maxLength was 80, is 7",
        f"{C} {OK}, labels[]: maxLength was 80, is 7",
    ]
    assert said(edited(DEEP), edited(DEEP, LONGER)) == []

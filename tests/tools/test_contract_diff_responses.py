"""A status that is gone may be covered by its class or by `default`."""

from typing import Any

import pytest

from tests.tools.contracts import BASE, PUT, edited, said

PATH = BASE["paths"]["/things/{id}"]
PROBLEM: dict[str, Any] = {"content": {"text/plain": {"schema": {"type": "string", "maxLength": 9}}}}
WIDE: dict[str, Any] = {"content": {"text/plain": {"schema": {"type": "string", "maxLength": 10}}}}
RETRY = {"Retry-After": {"required": True, "schema": {"type": "integer"}}}
MAYBE = {"Retry-After": {"schema": {"type": "integer"}}}
ERRORS = f"{PUT} responses"
RESPONSES = PATH["put"]["responses"]
COVERED = "compatible PUT /things/{id}, responses: 404 is covered by default now"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"404": PROBLEM}, {"default": PROBLEM}, [COVERED]),
        (
            {"404": WIDE},
            {"default": PROBLEM},
            ["compatible PUT /things/{id}, response 404 (now default): maxLength was 10, is 9", COVERED],
        ),
        (
            {"404": PROBLEM},
            {"default": WIDE},
            ["breaking PUT /things/{id}, response 404 (now default): maxLength was 9, is 10", COVERED],
        ),
        (
            {"404": PROBLEM},
            {"default": {}},
            ["breaking PUT /things/{id}, response 404 (now default): media type text/plain is gone", COVERED],
        ),
        ({"404": {**PROBLEM, "headers": RETRY}}, {"default": {**PROBLEM, "headers": MAYBE}}, [COVERED]),
        ({"404": {**PROBLEM, "headers": MAYBE}}, {"default": PROBLEM}, [COVERED]),
        (
            {"404": {**PROBLEM, "headers": RETRY}},
            {"default": PROBLEM},
            ["breaking PUT /things/{id}, response 404 (now default): header retry-after is gone", COVERED],
        ),
        (
            {"404": PROBLEM, "503": PROBLEM},
            {"4XX": PROBLEM, "default": WIDE},
            [
                "breaking PUT /things/{id}, response 503 (now default): maxLength was 9, is 10",
                "compatible PUT /things/{id}, responses: 404 is covered by 4XX now",
                "compatible PUT /things/{id}, responses: 503 is covered by default now",
            ],
        ),
        ({"201": PROBLEM}, {"default": PROBLEM}, [
            "breaking PUT /things/{id}, response 201: is gone",
            "compatible PUT /things/{id}, response default: is new",
        ]),
        ({"201": PROBLEM}, {"2XX": PROBLEM}, ["compatible PUT /things/{id}, responses: 201 is covered by 2XX now"]),
        (
            {"default": PROBLEM},
            {"default": PROBLEM, "404": PROBLEM},
            ["compatible PUT /things/{id}, response 404: is new"],
        ),
        (
            {"default": PROBLEM},
            {"default": PROBLEM, "404": WIDE},
            [
                "breaking PUT /things/{id}, response 404: maxLength was 9, is 10",
                "compatible PUT /things/{id}, response 404: is new",
            ],
        ),
        ({"2XX": PROBLEM}, {"2XX": PROBLEM, "201": PROBLEM}, ["compatible PUT /things/{id}, response 201: is new"]),
        ({"4XX": PROBLEM}, {"default": PROBLEM}, [COVERED.replace("404", "4XX")]),
        ({"default": PROBLEM}, {}, ["breaking PUT /things/{id}, response default: is gone"]),
    ],
)  # fmt: skip
def test_a_status_may_be_covered_by_its_class_or_by_default(before: Any, after: Any, expected: list[str]) -> None:
    """Then its response is compared with the one that covers it."""
    ok = {"200": RESPONSES["200"]}
    assert said(edited((ERRORS, ok | before)), edited((ERRORS, ok | after))) == expected


def test_default_covers_successes_where_there_are_no_others() -> None:
    """A contract may describe all its responses at once."""
    old, new = edited((ERRORS, {"200": PROBLEM})), edited((ERRORS, {"default": PROBLEM}))
    assert said(old, new) == ["compatible PUT /things/{id}, responses: 200 is covered by default now"]
    assert said(new, old) == [
        "breaking PUT /things/{id}, response default: is gone",
        "compatible PUT /things/{id}, response 200: is new",
    ]

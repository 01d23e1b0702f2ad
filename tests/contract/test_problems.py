"""Problem details (RFC 9457): their form, all violations at once, and an end to each text."""

import json
from typing import Any

import pytest

from contract.problems import Problem, Violation, bad_request, status_title
from contract.requests import body_readers
from tests.support import ContractClient


def _body(problem: Problem) -> Any:
    return json.loads(problem.body())


def test_a_problem_has_four_properties() -> None:
    """type, title, status, detail, in this order, and a newline at the end."""
    body = b'{"type":"about:blank","title":"Not Found","status":404,"detail":"There is no item 7."}\n'
    assert Problem(404, "There is no item 7.").body() == body


def test_extensions_come_last() -> None:
    """RFC 9457 §3.2."""
    problem = Problem(500, "x", extensions={"request_id": "r1"})
    assert list(_body(problem).items())[-1] == ("request_id", "r1")


def test_headers_are_kept_for_the_response() -> None:
    """`Allow`, `ETag`, `Retry-After`."""
    assert Problem(405, "x", headers={"Allow": "GET"}).headers == {"Allow": "GET"}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "Bad Request"),
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (422, "Unprocessable Content"),
        (507, "Insufficient Storage"),
    ],
)
def test_titles_are_those_of_rfc_9110_on_every_python(status: int, words: str) -> None:
    """Python 3.13 renamed three of them."""
    assert status_title(status) == words


@pytest.mark.parametrize(
    ("violation", "sentence"),
    [
        (Violation("pointer", "/name", "is required"), "/name: is required"),
        (Violation("pointer", "", "is required"), "The body is required"),
        (Violation("parameter", "limit", "must be an integer"), "limit: must be an integer"),
        (Violation("parameter", "", "is not percent-encoded UTF-8"), "The query string is not percent-encoded UTF-8"),
        (Violation("header", "If-Match", "must be *"), "If-Match: must be *"),
    ],
)
def test_one_violation_is_the_detail(violation: Violation, sentence: str) -> None:
    """And the only one of `errors`."""
    assert _body(bad_request([violation])) == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": sentence,
        "errors": [{violation.source: violation.name, "detail": violation.detail}],
    }


def test_all_violations_are_listed_once_in_a_fixed_order() -> None:
    """By place, then by name, whatever order they were found in."""
    found = [
        Violation("pointer", "/name", "b"),
        Violation("parameter", "limit", "c"),
        Violation("pointer", "/name", "a"),
        Violation("header", "If-Match", "d"),
        Violation("pointer", "/name", "a"),
    ]
    body = _body(bad_request(found))
    assert body["detail"] == "The request has 4 violations; see errors."
    assert body["errors"] == [
        {"header": "If-Match", "detail": "d"},
        {"parameter": "limit", "detail": "c"},
        {"pointer": "/name", "detail": "a"},
        {"pointer": "/name", "detail": "b"},
    ]


def test_at_most_a_hundred_violations_are_listed() -> None:
    """As many as the contract allows; nothing counts the others."""
    body = _body(bad_request([Violation("pointer", f"/{number:03}", "x") for number in range(101)]))
    assert body["detail"] == "The request has more than 100 violations; see errors."
    assert [error["pointer"] for error in body["errors"]] == [f"/{number:03}" for number in range(100)]


@pytest.mark.parametrize("length", [999, 1000])
def test_a_text_that_fits_stays(length: int) -> None:
    """Up to 1,000 characters."""
    assert _body(Problem(400, "x" * length))["detail"] == "x" * length


def test_a_longer_text_ends_in_an_ellipsis() -> None:
    """At 1,000 characters: in the detail, and in a violation's place and detail."""
    short = "x" * 999 + "…"
    body = _body(Problem(400, "x" * 1001, violations=[Violation("pointer", "x" * 5000, "x" * 1001)]))
    assert body["detail"] == short
    assert body["errors"] == [{"pointer": short, "detail": short}]


def test_a_body_is_not_parsed_if_a_problem_is_full(client: ContractClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The query alone has more violations than are listed."""
    monkeypatch.setattr(body_readers, "parse", lambda _body: pytest.fail("The body was parsed"))
    response = client.post("/items", params=dict.fromkeys(map(str, range(101)), "x"), json={"name": "x"})
    assert response.json()["detail"] == "The request has more than 100 violations; see errors."

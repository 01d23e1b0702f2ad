"""Conditional requests (RFC 9110 §13): `If-Match` and `If-None-Match` on reads and on writes."""

import re
from typing import Any

import httpx
import jsonschema_rs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contract.problems import Problem
from handlers.preconditions import etag, is_unmodified, require_preconditions
from tests.support import LIMITED, ContractClient, assert_item, assert_problem, assert_violations, specification

BODIES: dict[str, dict[str, Any]] = {
    "GET": {},
    "PUT": {"json": {"name": "y"}},
    "PATCH": {"json": {"name": "y"}},
    "DELETE": {},
}
SUCCESS = {"GET": 200, "PUT": 200, "PATCH": 200, "DELETE": 204}
each_method = pytest.mark.parametrize("method", BODIES)
each_write = pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
each_header = pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
RULE = 'must be * or quoted entity tags with commas between them, such as "1"'
IF_MATCH_FAILED = 'If-Match does not match the current ETag "2".'
IF_NONE_MATCH_FAILED = 'If-None-Match matches the current ETag "2".'
MALFORMED = [
    b"1",
    b'"1',
    b'1"',
    b'"1" "2"',
    b'*, "1"',
    b'"1", *',
    b"*,",
    b",*",
    b"**",
    b'w/"1"',
    b'W/ "1"',
    b"W/",
    b"W/*",
    b'"a b"',
    b'"a\tb"',
    b'"\x7f"',
    b"'1'",
    b'"1";"2"',
]
STRONG_MATCHES = [
    "*",
    '"2"',
    '"1", "2"',
    '"2","1"',
    'W/"2", "2"',
    '"x" ,"2"',
    '"1"\t,\t"2"',
    ',"2"',
    '"2",',
    ', , "1",,\t,"2" ,',
    '"a,b", "2"',
    '"W/", "2"',
    '"\u00e9", "2"',
    '"\u00e9","2"',
]
WEAK_MATCHES = [*STRONG_MATCHES, 'W/"2"', '"1", W/"2"', ',W/"2",']
NO_STRONG_MATCH = ['W/"2"', '"1", W/"2"', '"1"', '""', '"22"', '"2!"', '"*"', '"1,2"', '"\u00e9"', ",", "", ", ,"]
NO_WEAK_MATCH = [value for value in NO_STRONG_MATCH if value not in WEAK_MATCHES] + ['W/"1"', 'W/"1", "3"', 'W/""']


@pytest.fixture
def item(client: ContractClient) -> dict[str, Any]:
    """An item whose ETag is `"2"`."""
    client.create("x")
    changed: dict[str, Any] = client.patch("/items/1", json={"description": "y"}).json()
    return changed


def _send(client: ContractClient, method: str, **headers: str) -> httpx.Response:
    """Send a request for item 1. `if_match` is the header `If-Match`."""
    encoded = {name.replace("_", "-"): value.encode("latin-1") for name, value in headers.items()}
    response: httpx.Response = client.request(method, "/items/1", headers=encoded, **BODIES[method])
    return response


@each_method
@pytest.mark.parametrize("if_match", STRONG_MATCHES)
def test_if_match_that_matches_is_like_no_header(
    client: ContractClient, item: dict[str, Any], method: str, if_match: str
) -> None:
    """By a strong tag, or by `*`."""
    assert _send(client, method, if_match=if_match).status_code == SUCCESS[method]
    assert client.get(f"/items/{item['id']}").status_code == (404 if method == "DELETE" else 200)


@each_method
@pytest.mark.parametrize("if_match", NO_STRONG_MATCH)
def test_if_match_that_does_not_match_is_412_and_changes_nothing(
    client: ContractClient, item: dict[str, Any], method: str, if_match: str
) -> None:
    """Weak tags never match (RFC 9110 §13.1.1), nor does an empty list. The response has the current ETag."""
    assert_problem(_send(client, method, if_match=if_match), 412, IF_MATCH_FAILED, headers={"ETag": '"2"'})
    assert_item(client.get("/items/1"), 200, '"2"', **item)


@each_write
@pytest.mark.parametrize("if_none_match", WEAK_MATCHES)
def test_if_none_match_that_matches_is_412_on_writes(
    client: ContractClient, item: dict[str, Any], method: str, if_none_match: str
) -> None:
    """Also `*`, because the item exists. Nothing is changed."""
    response = _send(client, method, if_none_match=if_none_match)
    assert_problem(response, 412, IF_NONE_MATCH_FAILED, headers={"ETag": '"2"'})
    assert_item(client.get("/items/1"), 200, '"2"', **item)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("if_none_match", WEAK_MATCHES)
def test_if_none_match_that_matches_is_304_on_reads(
    client: ContractClient, item: dict[str, Any], method: str, if_none_match: str
) -> None:
    """With the ETag and no body; weak tags match (RFC 9110 §13.1.2)."""
    headers = {"If-None-Match": if_none_match.encode("latin-1"), "X-Request-Id": b"r"}
    response = client.request(method, f"/items/{item['id']}", headers=headers)
    assert (response.status_code, response.content) == (304, b"")
    assert dict(response.headers) == {"etag": '"2"', "x-request-id": "r", "cache-control": "no-cache", **LIMITED}


@each_method
@pytest.mark.parametrize("if_none_match", NO_WEAK_MATCH)
def test_if_none_match_that_does_not_match_is_like_no_header(
    client: ContractClient, item: dict[str, Any], method: str, if_none_match: str
) -> None:
    """The read returns the whole item, the write is done."""
    response = _send(client, method, if_none_match=if_none_match)
    assert response.status_code == SUCCESS[method]
    if method == "GET":
        assert_item(response, 200, '"2"', **item)


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "detail"),
    [
        ('"2"', '"2"', IF_NONE_MATCH_FAILED),
        ("*", "*", IF_NONE_MATCH_FAILED),
        ('"1"', '"2"', IF_MATCH_FAILED),
        ('"1"', '"1"', IF_MATCH_FAILED),
        ('W/"2"', "*", IF_MATCH_FAILED),
    ],
)
@each_method
@pytest.mark.usefixtures("item")
def test_if_match_is_evaluated_before_if_none_match(
    client: ContractClient, method: str, if_match: str, if_none_match: str, detail: str
) -> None:
    """RFC 9110 §13.2.2. Only If-None-Match can make a read 304."""
    response = _send(client, method, if_match=if_match, if_none_match=if_none_match)
    if method == "GET" and detail == IF_NONE_MATCH_FAILED:
        assert response.status_code == 304
    else:
        assert_problem(response, 412, detail, headers={"ETag": '"2"'})


@each_method
@pytest.mark.usefixtures("item")
def test_both_preconditions_can_be_true(client: ContractClient, method: str) -> None:
    """The method is performed."""
    assert _send(client, method, if_match='"2"', if_none_match='"1"').status_code == SUCCESS[method]


@each_header
@each_method
@pytest.mark.parametrize("value", ["*", '"1"'])
def test_a_missing_item_is_404_whatever_the_precondition(
    client: ContractClient, method: str, header: str, value: str
) -> None:
    """Preconditions count only where the response would otherwise be a success (RFC 9110 §13.2.1)."""
    assert_problem(_send(client, method, **{header: value}), 404, "There is no item 1.")


def test_preconditions_apply_to_an_empty_patch(client: ContractClient, item: dict[str, Any]) -> None:
    """It changes nothing, but the client asked for the comparison."""
    assert client.patch("/items/1", json={}, headers={"If-Match": '"1"'}).status_code == 412
    assert client.patch("/items/1", json={}, headers={"If-None-Match": '"2"'}).status_code == 412
    assert_item(client.patch("/items/1", json={}, headers={"If-Match": '"2"'}), 200, '"2"', **item)


def test_the_second_of_two_writers_gets_412(client: ContractClient) -> None:
    """If-Match prevents the lost update."""
    client.create()
    read = client.get("/items/1").headers["ETag"]
    first = client.put("/items/1", json={"name": "first"}, headers={"If-Match": read})
    second = client.put("/items/1", json={"name": "second"}, headers={"If-Match": read})
    assert (first.status_code, second.status_code) == (200, 412)
    assert second.headers["ETag"] == first.headers["ETag"]
    assert client.get("/items/1").json()["name"] == "first"


@each_header
@each_method
@pytest.mark.parametrize("value", MALFORMED)
def test_a_malformed_value_is_400(
    client: ContractClient, item: dict[str, Any], method: str, header: str, value: bytes
) -> None:
    """A condition that cannot be read must not be ignored: a write would be done without it."""
    response = client.request(method, "/items/1", headers={header: value}, **BODIES[method])
    assert_violations(response, {"header": header, "detail": RULE})
    assert_item(client.get("/items/1"), 200, '"2"', **item)


@pytest.mark.parametrize(
    "lines",
    [(b'"1"', b'"2"'), (b'"2"', b'"1"'), (b'"1"', b'"2"', b'"3"'), (b"", b'"2"'), (b'"2"', b""), (b",", b'"2"')],
)
def test_lines_of_a_header_are_one_list(client: ContractClient, item: dict[str, Any], lines: tuple[bytes, ...]) -> None:
    """RFC 9110 §5.3."""
    path = f"/items/{item['id']}"
    assert client.exchange("GET", path, [("If-None-Match", line) for line in lines]).status_code == 304
    assert client.exchange("DELETE", path, [("If-Match", line) for line in lines]).status_code == 204


@pytest.mark.parametrize("if_none_match", ["*", '"2"'])
def test_a_header_that_the_operation_does_not_declare_is_ignored(
    client: ContractClient, item: dict[str, Any], if_none_match: str
) -> None:
    """Lists have no ETag."""
    response = client.get("/items", headers={"If-None-Match": if_none_match})
    assert (response.status_code, response.json()) == (200, [item])


@pytest.mark.parametrize(("version", "tag"), [(1, '"1"'), (2147483647, '"2147483647"')])
def test_an_etag_is_strong_and_names_the_version(version: int, tag: str) -> None:
    """RFC 9110 §8.8.3."""
    assert etag(version) == tag


# The contract's pattern and the handlers, compared with the grammar of the RFC

PATTERN = specification()["components"]["schemas"]["EntityTags"]["pattern"]
IS_VALID = jsonschema_rs.Draft4Validator({"type": "string", "pattern": PATTERN}).is_valid
EXACT = re.compile(PATTERN.removesuffix("$") + r"\Z")
Tag = tuple[bool, str]  # whether it is weak, and its opaque-tag
STAR: Tag = (False, "*")


def _skip_ows(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t":
        at += 1
    return at


def _entity_tag(text: str, at: int) -> tuple[Tag, int] | None:
    """Read `[ "W/" ] DQUOTE *etagc DQUOTE` (RFC 9110 §8.8.3)."""
    weak = text.startswith("W/", at)
    start = at + 2 if weak else at
    end = text.find('"', start + 1)
    if text[start : start + 1] != '"' or end < 0:
        return None
    opaque = text[start : end + 1]
    if not all(c == "\x21" or "\x23" <= c <= "\x7e" or "\x80" <= c <= "\xff" for c in opaque[1:-1]):
        return None
    return (weak, opaque), end + 1


def _reference(text: str) -> list[Tag] | None:
    """Read `"*" / [ entity-tag ] *( OWS "," OWS [ entity-tag ] )` (RFC 9110 §5.6.1.2, §13.1.1); None if malformed."""
    if text == "*":
        return [STAR]
    tags: list[Tag] = []
    at = 0
    while True:
        if found := _entity_tag(text, at):
            tags.append(found[0])
            at = found[1]
        if at == len(text):
            return tags
        at = _skip_ows(text, at)
        if text[at : at + 1] != ",":
            return None
        at = _skip_ows(text, at + 1)


_OPAQUE = st.sampled_from(["1", "2", "2", "2", "22", "", "a,b", "W/", "*", "\x80", "\u00e9\u00ff", "!#~"]).map(
    '"{}"'.format
)
_ELEMENT = st.builds("{}{}".format, st.sampled_from(["", "", "W/"]), _OPAQUE) | st.just("")
_SEPARATOR = st.sampled_from([",", ", ", "\t,", " ,\t", ",,", " , ,\t"])
_LIST = st.lists(st.tuples(_ELEMENT, _SEPARATOR), max_size=5).map(lambda parts: "".join(a + b for a, b in parts))
_WELL_FORMED = st.builds("{}{}".format, _LIST, _ELEMENT)
_NOISE = st.text(st.sampled_from('*,W/"12 \t!#~\x7f\x80\u00e9'), max_size=12)
_LINE = (_WELL_FORMED | _NOISE | st.just("*")).map(lambda line: line.strip(" \t"))  # as RFC 9110 §5.5 requires
VALUES = st.lists(_LINE, min_size=1, max_size=3).map(", ".join)


@given(VALUES)
@example("")
@example('"\u0100"')
@example('"1"\n')
@example("*\n")
@example('"1"\r\n ,"2"')
@example('"1"\u00a0,"2"')
def test_the_pattern_of_the_contract_is_the_grammar_of_the_rfc(value: str) -> None:
    """In an ECMA 262 engine and in Python's."""
    expected = _reference(value) is not None
    assert IS_VALID(value) is expected
    assert bool(EXACT.match(value)) is expected


def _expected(method: str, if_match: str | None, if_none_match: str | None) -> int:
    """The status for an item whose ETag is `"2"` (RFC 9110 §13.2.2); 0 if the method is performed."""
    if if_match is not None and not {STAR, (False, '"2"')} & set(_reference(if_match) or []):
        return 412
    if if_none_match is not None and {STAR, (False, '"2"'), (True, '"2"')} & set(_reference(if_none_match) or []):
        return 304 if method == "GET" else 412
    return 0


def _actual(method: str, if_match: str | None, if_none_match: str | None) -> int:
    try:
        if method == "GET":
            return 304 if is_unmodified(2, if_match, if_none_match) else 0
        require_preconditions(2, if_match, if_none_match)
    except Problem as problem:
        return int(problem.status)
    return 0


_VALID = st.none() | VALUES.filter(lambda value: _reference(value) is not None)


@given(st.sampled_from(["GET", "PUT"]), _VALID, _VALID)
@example("PUT", 'W/"2"', None)
@example("GET", '"2","1"', '"\u00e9","2"')
def test_every_valid_condition_is_evaluated_as_the_rfc_says(
    method: str, if_match: str | None, if_none_match: str | None
) -> None:
    """Compared with a reader that follows the grammar character by character."""
    assert _actual(method, if_match, if_none_match) == _expected(method, if_match, if_none_match)

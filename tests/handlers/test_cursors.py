"""Cursors: opaque, bound to their listing; any other text is a page that is not there (404), never an error of ours."""

import json
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contract.problems import Problem
from db.resources import MAX_ID, Position
from handlers import cursors
from tests.support import ContractClient, assert_problem, assert_violations, links, specification

SORTS = specification()["components"]["schemas"]["ItemSort"]["enum"]
NO_SUCH_PAGE = "There is no such page. Take the cursor from a Link header and keep the other parameters unchanged."
quick = hypothesis_settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
CURSOR_TEXT = st.text(
    alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=60
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([*SORTS, "a"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3),
)
PLACES = st.tuples(
    st.sampled_from([*SORTS, "", "ID", None]),
    st.none() | st.just("a"),
    st.text() | st.integers() | st.none() | st.floats() | st.booleans(),
    st.integers() | st.text() | st.none() | st.booleans() | st.floats(),
)


def _encoded(document: Any) -> str:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).rstrip(b"=").decode()


def _ask(client: ContractClient, cursor: str, **others: str) -> Any:
    return client.get("/items", params={"cursor": cursor} | others)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("name", [None, "a", 'é😀"\\'])
def test_a_cursor_is_its_place_and_back(sort: str, name: str | None) -> None:
    """For every listing."""
    position = Position(7, 7) if sort.endswith("id") else Position('é😀"', MAX_ID)
    cursor = cursors.encode(sort, name, position)
    assert cursors.decode(cursor, sort, name, type(position.key)) == position
    assert cursor.isascii()


@pytest.mark.parametrize(
    ("sort", "name"), [("-id", None), ("name", None), ("id", "a"), ("id", ""), ("created_at", "a")]
)
def test_a_cursor_is_bound_to_its_sort_and_filter(sort: str, name: str | None) -> None:
    """With others it stands for nothing."""
    cursor = cursors.encode("id", None, Position(1, 1))
    with pytest.raises(Problem) as caught:
        cursors.decode(cursor, sort, name, int if sort.endswith("id") else str)
    assert (caught.value.status, caught.value.detail) == (404, NO_SUCH_PAGE)


@pytest.mark.parametrize(
    ("key", "kind"), [(1, float), (1.5, int), (True, int), ("1", int), (1, str), (2**60, int), (-1e300, float)]
)
def test_a_key_of_another_type_or_too_large_is_404(key: Any, kind: type) -> None:
    """The key has the type of its column, and is a number that every database can hold."""
    cursor = cursors.encode("tags.size", None, Position(key, 1))
    with pytest.raises(Problem):
        cursors.decode(cursor, "tags.size", None, kind)


@pytest.mark.parametrize("key", [0, -7, 1.5, "x", ""])
def test_a_key_is_a_number_or_a_string(key: Any) -> None:
    """Whatever the column holds."""
    cursor = cursors.encode("tags.-size", ["a", None], Position(key, 1))
    assert cursors.decode(cursor, "tags.-size", ["a", None], type(key)) == Position(key, 1)


def test_a_cursor_of_another_listing_is_404(client: ContractClient) -> None:
    """Another limit is the same listing."""
    for _ in range(2):
        client.create("a")
    (cursor,) = parse_qs(urlsplit(links(client.get("/items?limit=1"))["next"]).query)["cursor"]
    assert _ask(client, cursor, limit="100").status_code == 200
    assert_problem(_ask(client, cursor, sort="-id"), 404, NO_SUCH_PAGE)
    assert_problem(_ask(client, cursor, name="a"), 404, NO_SUCH_PAGE)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        ["id", None, 1],
        ["id", None, 1, 1, 1],
        ["id", None, 1, 2],
        ["id", None, 0, 0],
        ["id", None, -1, -1],
        ["id", None, MAX_ID + 1, MAX_ID + 1],
        ["id", None, 2**70, 2**70],
        ["id", None, True, True],
        ["id", None, 1.0, 1],
        ["id", None, "1", 1],
        ["id", None, None, None],
        {"0": "id"},
        "id",
    ],
)
def test_a_place_that_is_none_is_404(client: ContractClient, document: Any) -> None:
    """However well it is encoded."""
    assert_problem(_ask(client, _encoded(document)), 404, NO_SUCH_PAGE)


@pytest.mark.parametrize("key", [1, None, "a\0b", "\ud800", 1.5, [], True])
def test_a_key_that_no_name_is_is_404(client: ContractClient, key: Any) -> None:
    """What the database could not compare never reaches it."""
    assert_problem(_ask(client, _encoded(["name", None, key, 1]), sort="name"), 404, NO_SUCH_PAGE)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "x" * 1024,
        "_" * 1024,
        _encoded(["id", None, 1, 1]) + "A",
        _encoded(["id", None, 1, 1])[:-1],
        urlsafe_b64encode(b'["id", null, 1, 1]').rstrip(b"=").decode(),
        urlsafe_b64encode(b"[" * 700).rstrip(b"=").decode(),
        urlsafe_b64encode(b'["id",null,NaN,NaN]').rstrip(b"=").decode(),
        urlsafe_b64encode(b'["id",null,' + b"1" * 600 + b",1]").rstrip(b"=").decode(),
        urlsafe_b64encode(b"\xff\xfe").rstrip(b"=").decode(),
    ],
)
def test_a_text_that_is_none_of_ours_is_404(client: ContractClient, text: str) -> None:
    """Nothing about it is explained: it is opaque."""
    assert_problem(_ask(client, text), 404, NO_SUCH_PAGE)


@pytest.mark.parametrize("text", ["", "a b", "a=", "a+b", "é", "x" * 1025, "%00"])
def test_a_text_that_no_cursor_is_is_400(client: ContractClient, text: str) -> None:
    """The contract says which characters there are, and how many."""
    response = _ask(client, text)
    assert response.status_code == 400
    assert {error.get("parameter") for error in response.json()["errors"]} == {"cursor"}


def test_what_a_cursor_is_made_of_is_said_in_words(client: ContractClient) -> None:
    """Not as a regular expression."""
    assert_violations(_ask(client, "a=b"), {"parameter": "cursor", "detail": "must be a cursor from a Link header"})


@given(text=CURSOR_TEXT)
@quick
def test_random_cursors_are_404(client: ContractClient, text: str) -> None:
    """Every text that the schema allows."""
    assert _ask(client, text).status_code == 404


@given(document=DOCUMENTS)
@quick
def test_cursors_made_of_any_document_are_404(client: ContractClient, document: Any) -> None:
    """Encoded as ours are."""
    assert _ask(client, _encoded(document)[:1024]).status_code == 404


@given(place=PLACES, sort=st.sampled_from(SORTS))
@quick
def test_tampered_places_are_a_page_or_404(client: ContractClient, place: tuple[Any, ...], sort: str) -> None:
    """Never anything else, whatever is in them."""
    response = _ask(client, _encoded([*place])[:1024], sort=sort)
    assert response.status_code in (200, 404)
    if response.status_code == 200:
        assert (place[0], place[1]) == (sort, None)


@given(data=st.data())
@quick
def test_cursors_with_one_character_changed_are_a_page_or_404(client: ContractClient, data: st.DataObject) -> None:
    """An id other than ours is a place, too: nothing is secret in a cursor."""
    cursor = _encoded(["name", None, "Desk lamp", 12345])
    at = data.draw(st.integers(0, len(cursor) - 1))
    changed = cursor[:at] + data.draw(st.sampled_from("AZaz09-_")) + cursor[at + 1 :]
    assert _ask(client, changed, sort="name").status_code in (200, 404)

"""Paging: `next` leads to every item exactly once, in the requested order, whatever happens between the pages."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from db.engine import Database
from tests.support import LIMITED, ContractClient, assert_violations, links, specification

SORTS = specification()["components"]["schemas"]["ItemSort"]["enum"]
TIMES = [f"2026-11-23T09:30:0{second}.000000Z" for second in range(3)]
NAMES = ["b", "a", "B", "é", "e\u0301", "𝔘", "\uffee", " a", "a b", "Z", "10", "9"]
each_sort = pytest.mark.parametrize("sort", SORTS)
Item = dict[str, Any]


def _fill(database: Database, client: ContractClient, names: list[str]) -> list[Item]:
    """Create items with these names and few different times, so that every order has ties."""
    from sqlalchemy import insert

    from db.schema import items

    rows = [
        {"name": name, "version": 1, "created_at": TIMES[n % 3], "updated_at": TIMES[n * 7 % 5 % 3]}
        for n, name in enumerate(names)
    ]
    with database.write() as connection:
        connection.execute(insert(items), rows)
    return [client.get(f"/items/{item_id}").json() for item_id in range(1, len(names) + 1)]


def _ordered(items: list[Item], sort: str) -> list[Item]:
    """Sort by code point (as Python does), then by id in the same direction."""
    key = sort.removeprefix("-")
    return sorted(items, key=lambda item: (item[key], item["id"]), reverse=sort.startswith("-"))


def _pages(client: ContractClient, url: str, between: Callable[[], Any] = lambda: None) -> Iterator[list[Item]]:
    for _ in range(1000):
        response = client.get(url)
        assert response.status_code == 200, response.text
        yield response.json()
        found = links(response)
        if "next" not in found:
            return
        url = found["next"]
        between()
    pytest.fail("There is no last page")


def _walk(client: ContractClient, url: str, between: Callable[[], Any] = lambda: None) -> list[Item]:
    return list(itertools.chain.from_iterable(_pages(client, url, between)))


@pytest.fixture
def items(client: ContractClient, database: Database) -> list[Item]:
    """24 items; each name occurs twice and each time eight times."""
    return _fill(database, client, NAMES * 2)


@each_sort
@pytest.mark.parametrize("limit", [1, 5, 24, 100])
def test_next_leads_to_every_item_once_in_order(
    client: ContractClient, items: list[Item], sort: str, limit: int
) -> None:
    """Items with equal names or times are in the order of their ids."""
    assert _walk(client, f"/items?limit={limit}&sort={sort}") == _ordered(items, sort)


@each_sort
@pytest.mark.parametrize("name", ["a", "é", "e\u0301", "𝔘", " a"])
def test_a_filter_selects_its_items(client: ContractClient, items: list[Item], sort: str, name: str) -> None:
    """The name matches exactly, including case and Unicode normalization form."""
    client.create(name)
    everything = [*items, client.get("/items/25").json()]
    url = str(client.build_request("GET", "/items", params={"limit": 1, "sort": sort, "name": name}).url)
    assert _walk(client, url) == _ordered([item for item in everything if item["name"] == name], sort)


@pytest.mark.parametrize(("limit", "sizes"), [(24, [24]), (25, [24]), (23, [23, 1]), (12, [12, 12]), (8, [8, 8, 8])])
def test_the_last_page_has_no_next(client: ContractClient, items: list[Item], limit: int, sizes: list[int]) -> None:
    """This also holds if the last page is full."""
    assert [len(page) for page in _pages(client, f"/items?limit={limit}")] == sizes
    assert len(items) == sum(sizes)


def test_every_page_has_first(client: ContractClient, items: list[Item]) -> None:
    """It leads to the first page, with the same limit, sort key and filter."""
    first = "/items?limit=5&sort=-id"
    url: str | None = first
    while url:
        found = links(client.get(url))
        assert found["first"] == first
        url = found.get("next")
    assert client.get(first).json() == _ordered(items, "-id")[:5]


def test_an_empty_database_has_one_empty_page(client: ContractClient) -> None:
    """The response is an empty array with `first`."""
    response = client.get("/items", headers={"X-Request-Id": "r"})
    assert response.content == b"[]\n"
    assert dict(response.headers) == {
        "content-type": "application/json",
        "content-length": "3",
        "link": '</items?limit=50&sort=id>; rel="first"',
        "x-request-id": "r",
        "cache-control": "no-store",
        **LIMITED,
    }


def test_a_page_has_fifty_items_by_default(client: ContractClient, database: Database) -> None:
    """A page can have up to a hundred."""
    items = _fill(database, client, ["x"] * 101)
    assert client.get("/items").json() == items[:50]
    assert client.get("/items?limit=100").json() == items[:100]


@pytest.mark.parametrize(
    ("limit", "detail"), [(0, "must be at least 1"), (-1, "must be at least 1"), (101, "must be at most 100")]
)
def test_a_limit_out_of_range_is_rejected(client: ContractClient, limit: int, detail: str) -> None:
    """It is not adjusted."""
    assert_violations(client.get(f"/items?limit={limit}"), {"parameter": "limit", "detail": detail})


@pytest.mark.parametrize("sort", ["ID", "description", "+id", "--id", "", "id,name", "version", "-"])
def test_another_sort_key_is_rejected(client: ContractClient, sort: str) -> None:
    """The problem lists all sort keys."""
    expected = {"parameter": "sort", "detail": f"must be one of: {', '.join(SORTS)}"}
    assert_violations(client.get("/items", params={"sort": sort}), expected)


@pytest.mark.parametrize(
    "name",
    ['"quoted"', "a>b", "<a>", "a, b", 'x>; rel="next"', "é😀", "a&b=c", "a+b", "100%", "a/b?c#d", "\\", "𝔘" * 80],
)
def test_any_name_works_in_link(client: ContractClient, name: str) -> None:
    """It is percent-encoded, so no character ends a part of the header or is lost."""
    items = [client.create(name) for _ in range(3)]
    response = client.get("/items", params={"name": name, "limit": 1, "sort": "name"})
    assert response.headers["Link"].isascii()
    for url in links(response).values():
        assert parse_qs(urlsplit(url).query, strict_parsing=True)["name"] == [name]
    assert _walk(client, links(response)["first"]) == items


def test_the_longest_cursor_is_valid(client: ContractClient) -> None:
    """Filter and key have 80 characters of 4 bytes, or of 2 bytes in JSON, with the largest id."""
    longest = specification()["components"]["schemas"]["PageCursor"]["maxLength"]
    for name in ("𝔘" * 80, '"' * 80, "\\" * 80):
        for _ in range(2):
            client.create(name)
        response = client.get("/items", params={"name": name, "limit": 1, "sort": "-name"})
        (cursor,) = parse_qs(urlsplit(links(response)["next"]).query)["cursor"]
        assert len(cursor) + 20 <= longest
        assert client.get(links(response)["next"]).status_code == 200


@pytest.mark.parametrize("sort", ["id", "-id"])
def test_head_has_the_links_of_get(client: ContractClient, items: list[Item], sort: str) -> None:
    """HEAD is enough to follow the pages."""
    head, get = (client.request(method, f"/items?limit=5&sort={sort}") for method in ("HEAD", "GET"))
    assert links(head) == links(get)
    assert len(items) > 5


CHANGE = st.sampled_from(["create", "delete", "delete the last seen", "rename", "touch", "nothing"])


@each_sort
@given(data=st.data())
@hypothesis_settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_changes_between_pages_do_not_affect_other_items(
    client: ContractClient, database: Database, sort: str, data: st.DataObject
) -> None:
    """Items are inserted and deleted anywhere, including the last item of a page."""
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM items")
    names = data.draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=8))
    stayed = {item["id"]: item for item in (client.create(name) for name in names)}
    seen: list[Item] = []

    def change() -> None:
        kind = data.draw(CHANGE)
        if kind == "create":
            client.create(data.draw(st.sampled_from("abcd")))
        elif kind.startswith("delete") and stayed:
            last = seen[-1]["id"] if kind.endswith("seen") else data.draw(st.sampled_from(sorted(stayed)))
            client.delete(f"/items/{last}")
            stayed.pop(last, None)

    limit = data.draw(st.integers(1, 3))
    pages = _pages(client, f"/items?limit={limit}&sort={sort}", change)
    for page in pages:
        seen.extend(page)
    assert [item for item in seen if item["id"] in stayed] == _ordered(list(stayed.values()), sort)
    assert len({item["id"] for item in seen}) == len(seen)
    assert seen == _ordered(seen, sort)


@each_sort
def test_a_cursor_works_after_its_item_is_deleted(client: ContractClient, items: list[Item], sort: str) -> None:
    """A cursor is a position in the order, not an item."""
    response = client.get(f"/items?limit=5&sort={sort}")
    for item in response.json():
        client.delete(f"/items/{item['id']}")
    assert _walk(client, links(response)["next"]) == _ordered(items, sort)[5:]

"""Conditional requests (RFC 9110 §13): If-Match guards writes and compares strongly, If-None-Match saves reads."""

from typing import Any

import pytest

from contract.problems import Problem
from handlers.preconditions import etag, is_unmodified, require_match
from tests.support import ContractClient, assert_item, assert_problem, assert_violations

CHANGES: dict[str, dict[str, Any]] = {
    "PUT": {"json": {"name": "y"}},
    "PATCH": {"json": {"name": "y"}},
    "DELETE": {},
}
each_method = pytest.mark.parametrize("method", CHANGES)
RULE = 'must be * or quoted entity tags with commas between them, such as "1"'
MALFORMED = [
    b"1",
    b'"1',
    b'1"',
    b"",
    b'"1" "2"',
    b'*, "1"',
    b'w/"1"',
    b'"1",',
    b",",
    b'"a b"',
    b'"\xe9"',
    b'W/ "1"',
    b"'1'",
]
NAMING = ["*", '"2"', '"1", "2"', '"2","1"', 'W/"2", "2"', '"x" ,"2"']
NOT_NAMING = ['"1"', 'W/"2"', '"1", W/"2"', '""', '"22"', '"2 "'.replace(" ", "!"), '"*"', 'W/"1", "3"']


@pytest.fixture
def item(client: ContractClient) -> dict[str, Any]:
    """An item whose ETag is `"2"`."""
    client.create("x")
    changed: dict[str, Any] = client.patch("/items/1", json={"description": "y"}).json()
    return changed


def _change(client: ContractClient, method: str, if_match: str) -> Any:
    return client.request(method, "/items/1", headers={"If-Match": if_match}, **CHANGES[method])


@each_method
@pytest.mark.parametrize("if_match", NAMING)
def test_a_write_that_names_the_version_is_done(
    client: ContractClient, item: dict[str, Any], method: str, if_match: str
) -> None:
    """By its strong tag, or by `*`."""
    answer = _change(client, method, if_match)
    assert answer.status_code == (204 if method == "DELETE" else 200)
    assert client.get("/items/1").status_code == (404 if method == "DELETE" else 200)
    assert item["id"] == 1


@each_method
@pytest.mark.parametrize("if_match", NOT_NAMING)
def test_a_write_that_does_not_name_it_is_412_and_changes_nothing(
    client: ContractClient, item: dict[str, Any], method: str, if_match: str
) -> None:
    """The answer says the present version; a weak tag names none."""
    detail = 'If-Match does not match the current ETag "2".'
    assert_problem(_change(client, method, if_match), 412, detail, headers={"ETag": '"2"'})
    assert_item(client.get("/items/1"), 200, '"2"', **item)


@each_method
def test_an_item_that_is_not_there_is_404_and_not_412(client: ContractClient, method: str) -> None:
    """There is nothing whose version could differ, also for `*`."""
    for if_match in ("*", '"1"'):
        assert_problem(_change(client, method, if_match), 404, "There is no item 1.")


def test_an_empty_patch_is_guarded_too(client: ContractClient, item: dict[str, Any]) -> None:
    """Who sends If-Match wants to know."""
    assert client.patch("/items/1", json={}, headers={"If-Match": '"1"'}).status_code == 412
    assert_item(client.patch("/items/1", json={}, headers={"If-Match": '"2"'}), 200, '"2"', **item)


def test_of_two_writers_the_second_is_told(client: ContractClient) -> None:
    """The lost update that If-Match is there to prevent."""
    client.create()
    read = client.get("/items/1").headers["ETag"]
    first = client.put("/items/1", json={"name": "first"}, headers={"If-Match": read})
    second = client.put("/items/1", json={"name": "second"}, headers={"If-Match": read})
    assert (first.status_code, second.status_code) == (200, 412)
    assert second.headers["ETag"] == first.headers["ETag"]
    assert client.get("/items/1").json()["name"] == "first"


@pytest.mark.parametrize("if_none_match", [*NAMING, 'W/"2"', '"1", W/"2"'])
def test_an_unchanged_item_is_304(client: ContractClient, item: dict[str, Any], if_none_match: str) -> None:
    """With its ETag and no body; weak tags match (RFC 9110 §13.1.2)."""
    answer = client.get("/items/1", headers={"If-None-Match": if_none_match, "X-Request-Id": "r"})
    assert (answer.status_code, answer.content) == (304, b"")
    assert dict(answer.headers) == {"etag": '"2"', "x-request-id": "r"}
    assert item["id"] == 1


@pytest.mark.parametrize("if_none_match", ['"1"', 'W/"1"', '""', '"1", "3"', '"*"'])
def test_a_changed_item_is_sent_whole(client: ContractClient, item: dict[str, Any], if_none_match: str) -> None:
    """200, as without the header."""
    assert_item(client.get("/items/1", headers={"If-None-Match": if_none_match}), 200, '"2"', **item)


def test_head_is_304_as_get_is(client: ContractClient, item: dict[str, Any]) -> None:
    """The same headers."""
    sent = {"If-None-Match": '"2"', "X-Request-Id": "r"}
    get, head = client.get(f"/items/{item['id']}", headers=sent), client.head("/items/1", headers=sent)
    assert (head.status_code, dict(head.headers)) == (get.status_code, dict(get.headers)) == (304, dict(get.headers))


@each_method
@pytest.mark.parametrize("value", MALFORMED)
def test_a_malformed_if_match_is_400(client: ContractClient, item: dict[str, Any], method: str, value: bytes) -> None:
    """It names the header, and the rule; nothing is written."""
    headers = [("If-Match", value), ("Content-Type", b"application/json")]
    answer = client.exchange(method, "/items/1", headers, [b"" if method == "DELETE" else b'{"name":"y"}'])
    errors = [error for error in answer.json()["errors"] if error["detail"] == RULE]
    assert (answer.status_code, errors) == (400, [{"header": "If-Match", "detail": RULE}])
    assert_item(client.get("/items/1"), 200, '"2"', **item)


@pytest.mark.parametrize("value", [value for value in MALFORMED if value])
def test_a_malformed_if_none_match_is_400(client: ContractClient, item: dict[str, Any], value: bytes) -> None:
    """As well; an item is not sent to one who cannot say what he has."""
    answer = client.exchange("GET", f"/items/{item['id']}", [("If-None-Match", value)])
    assert_violations(answer, {"header": "If-None-Match", "detail": RULE})


@pytest.mark.parametrize("tags", [(b'"1"', b'"2"'), (b'"2"', b'"1"'), (b'"1"', b'"2"', b'"3"')])
def test_lines_of_a_header_are_one_list(client: ContractClient, item: dict[str, Any], tags: tuple[bytes, ...]) -> None:
    """RFC 9110 §5.3: each of them counts, the first as the last."""
    path = f"/items/{item['id']}"
    assert client.exchange("GET", path, [("If-None-Match", tag) for tag in tags]).status_code == 304
    assert client.exchange("DELETE", path, [("If-Match", tag) for tag in tags]).status_code == 204


@pytest.mark.parametrize("if_none_match", ["*", '"2"'])
def test_where_a_header_is_not_in_the_contract_it_is_nothing(
    client: ContractClient, item: dict[str, Any], if_none_match: str
) -> None:
    """Headers are open: proxies and browsers add their own."""
    answer = client.get("/items", headers={"If-None-Match": if_none_match})
    assert (answer.status_code, answer.json()) == (200, [item])


@pytest.mark.parametrize(("version", "tag"), [(1, '"1"'), (2147483647, '"2147483647"')])
def test_an_etag_is_strong_and_is_the_version(version: int, tag: str) -> None:
    """RFC 9110 §8.8.3."""
    assert etag(version) == tag
    assert is_unmodified(tag, version)
    require_match(tag, version)
    with pytest.raises(Problem):
        require_match(f"W/{tag}", version)

"""Create, read, update and delete: the whole of each response."""

from typing import Any

import pytest

from tests.support import JSON, ContractClient, assert_item, assert_problem, assert_violations

NAME_RULE = "must not be blank, and must not contain control characters (U+0000 to U+001F, U+007F)"
ALLOWED = "is not allowed here; allowed properties: description, name"
ASTRAL = "𝔘"
MERGE_PATCH = "application/merge-patch+json"
WRITES = {"create_item": ("POST", "/items"), "replace_item": ("PUT", "/items/1"), "update_item": ("PATCH", "/items/1")}
each_write = pytest.mark.parametrize("write", WRITES)
each_change = pytest.mark.parametrize("write", ["replace_item", "update_item"])


def _write(client: ContractClient, write: str, document: Any, **headers: str) -> Any:
    method, path = WRITES[write]
    return client.request(method, path, json=document, headers=headers)


def test_a_new_item_is_returned_as_stored(client: ContractClient) -> None:
    """201, where it is, its version, and the whole item; both times are the same."""
    response = client.post("/items", json={"name": "Desk lamp", "description": "Brass"}, headers={"X-Request-Id": "r"})
    item = assert_item(response, 201, '"1"', id=1, name="Desk lamp", description="Brass")
    assert item["created_at"] == item["updated_at"]
    assert dict(response.headers) == {
        "content-type": JSON,
        "content-length": str(len(response.content)),
        "location": "/items/1",
        "etag": '"1"',
        "x-request-id": "r",
    }


def test_location_leads_to_the_item(client: ContractClient) -> None:
    """RFC 9110 §10.2.2."""
    created = client.post("/items", json={"name": "x"})
    assert client.get(created.headers["Location"]).content == created.content


@pytest.mark.parametrize("sent", [{"name": "x"}, {"name": "x", "description": None}])
def test_a_description_that_is_left_out_is_null(client: ContractClient, sent: Any) -> None:
    """As is null itself."""
    assert_item(client.post("/items", json=sent), 201, '"1"', id=1, name="x", description=None)


def test_names_need_not_be_unique(client: ContractClient) -> None:
    """Each creates another item."""
    assert [client.create("x")["id"] for _ in range(3)] == [1, 2, 3]


def test_an_item_is_read_as_it_was_created(client: ContractClient) -> None:
    """The same bytes, the same ETag."""
    created = client.post("/items", json={"name": "x"})
    response = client.get("/items/1")
    assert_item(response, 200, '"1"', **created.json())
    assert response.content == created.content
    assert "Location" not in response.headers


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("item_id", [2, 9007199254740991])
def test_an_item_that_is_not_there_is_404(client: ContractClient, method: str, item_id: int) -> None:
    """Whatever is asked of it; PUT does not create it."""
    item = client.create()
    body = {"name": "x"} if method in ("PUT", "PATCH") else None
    assert_problem(client.request(method, f"/items/{item_id}", json=body), 404, f"There is no item {item_id}.")
    assert client.get("/items").json() == [item]


def test_replacing_writes_everything_again(client: ContractClient) -> None:
    """The description, left out, becomes null; the id and the time of creation stay."""
    item = client.create("Desk lamp", "Brass")
    changed = assert_item(
        client.put("/items/1", json={"name": "Lamp"}),
        200,
        '"2"',
        id=1,
        name="Lamp",
        description=None,
        created_at=item["created_at"],
    )
    assert changed["updated_at"] > item["updated_at"]
    assert_item(client.get("/items/1"), 200, '"2"', **changed)


@pytest.mark.parametrize("media_type", [MERGE_PATCH, JSON])
@pytest.mark.parametrize(
    ("patch", "name", "description"),
    [
        (b'{"name":"Lamp"}', "Lamp", "Brass"),
        (b'{"description":"Steel"}', "Desk lamp", "Steel"),
        (b'{"description":null}', "Desk lamp", None),
        (b'{"description":""}', "Desk lamp", ""),
        (b'{"name":"Lamp","description":null}', "Lamp", None),
        (b'{"name":"Desk lamp"}', "Desk lamp", "Brass"),
    ],
)
def test_a_merge_patch_changes_what_it_names(
    client: ContractClient, media_type: str, patch: bytes, name: str, description: str | None
) -> None:
    """RFC 7396: absent stays, null clears; both media types mean the same."""
    item = client.create("Desk lamp", "Brass")
    response = client.patch("/items/1", content=patch, headers={"Content-Type": media_type})
    changed = assert_item(response, 200, '"2"', id=1, name=name, description=description, created_at=item["created_at"])
    assert changed["updated_at"] > item["updated_at"]
    assert_item(client.get("/items/1"), 200, '"2"', **changed)


@pytest.mark.parametrize("media_type", [MERGE_PATCH, JSON])
def test_an_empty_patch_changes_nothing(client: ContractClient, media_type: str) -> None:
    """Not even the version."""
    item = client.create("Desk lamp", "Brass")
    response = client.patch("/items/1", content=b"{}", headers={"Content-Type": media_type})
    assert_item(response, 200, '"1"', **item)
    assert_item(client.get("/items/1"), 200, '"1"', **item)


@each_write
def test_a_name_cannot_be_null(client: ContractClient, write: str) -> None:
    """A patch cannot clear what an item must have."""
    client.create()
    assert_violations(_write(client, write, {"name": None}), {"pointer": "/name", "detail": "must be a string"})
    assert client.get("/items/1").headers["ETag"] == '"1"'


def test_deleting_returns_nothing(client: ContractClient) -> None:
    """204, with the request id alone; then it is gone."""
    client.create()
    response = client.delete("/items/1", headers={"X-Request-Id": "r"})
    assert (response.status_code, response.content, dict(response.headers)) == (204, b"", {"x-request-id": "r"})
    assert_problem(client.get("/items/1"), 404, "There is no item 1.")
    assert client.get("/items").json() == []


def test_deleting_twice_is_404_the_second_time(client: ContractClient) -> None:
    """It is not there any more."""
    client.create()
    client.delete("/items/1")
    assert_problem(client.delete("/items/1"), 404, "There is no item 1.")


def test_an_id_is_never_given_twice(client: ContractClient) -> None:
    """Not even the last one, and not when all are deleted."""
    client.create()
    for item_id in (2, 3, 4):
        assert client.delete(f"/items/{client.create()['id']}").status_code == 204
        assert client.get(f"/items/{item_id}").status_code == 404
    client.delete("/items/1")
    assert client.create()["id"] == 5


def test_one_item_does_not_touch_another(client: ContractClient) -> None:
    """Neither a change nor a deletion."""
    first, second, third = (client.create(name) for name in "abc")
    client.put("/items/2", json={"name": "z"})
    assert [client.get(f"/items/{item['id']}").json() for item in (first, third)] == [first, third]
    client.delete(f"/items/{second['id']}")
    assert client.get("/items").json() == [first, third]


@each_write
@pytest.mark.parametrize("name", ["x" * 80, ASTRAL * 80, "👩‍👩‍👧‍👦" * 11, "e\u0301" * 40])
def test_eighty_code_points_are_a_name(client: ContractClient, write: str, name: str) -> None:
    """Whatever they need in bytes or in UTF-16."""
    client.create()
    response = _write(client, write, {"name": name})
    assert (response.status_code, response.json()["name"]) == (201 if write == "create_item" else 200, name)


@each_write
@pytest.mark.parametrize("name", ["x" * 81, ASTRAL * 81])
def test_eighty_one_are_not(client: ContractClient, write: str, name: str) -> None:
    """And nothing is cut off in silence."""
    client.create()
    expected = {"pointer": "/name", "detail": "must have at most 80 characters; it has 81"}
    assert_violations(_write(client, write, {"name": name}), expected)


@each_write
@pytest.mark.parametrize("description", ["", "x" * 200, ASTRAL * 200, "two\nlines\t", " "])
def test_two_hundred_code_points_are_a_description(client: ContractClient, write: str, description: str) -> None:
    """Of any text, the empty one too."""
    client.create()
    response = _write(client, write, {"name": "x", "description": description})
    assert response.json()["description"] == description


@each_write
@pytest.mark.parametrize("description", ["x" * 201, ASTRAL * 201])
def test_two_hundred_and_one_are_not(client: ContractClient, write: str, description: str) -> None:
    """In the description either."""
    client.create()
    expected = {"pointer": "/description", "detail": "must have at most 200 characters; it has 201"}
    assert_violations(_write(client, write, {"name": "x", "description": description}), expected)


@each_write
def test_no_text_has_the_character_nul(client: ContractClient, write: str) -> None:
    """PostgreSQL could not hold it."""
    client.create()
    assert_violations(
        _write(client, write, {"name": "a\0", "description": "a\0b"}),
        {"pointer": "/description", "detail": "must not contain the character U+0000"},
        {"pointer": "/name", "detail": NAME_RULE},
    )


@each_write
@pytest.mark.parametrize("name", ["id", "created_at", "updated_at", "version", "Name", ""])
def test_other_properties_are_refused(client: ContractClient, write: str, name: str) -> None:
    """What the service owns is not for clients to write."""
    client.create()
    response = _write(client, write, {"name": "x", name: 1})
    assert_violations(response, {"pointer": f"/{name}", "detail": ALLOWED})


@each_write
@pytest.mark.parametrize("value", [1, 1.5, True, [], {}, ["x"]])
def test_values_of_another_type_are_refused(client: ContractClient, write: str, value: Any) -> None:
    """Nothing is turned into text."""
    client.create()
    assert_violations(
        _write(client, write, {"name": value, "description": value}),
        {"pointer": "/description", "detail": "must be a string or null"},
        {"pointer": "/name", "detail": "must be a string"},
    )


@each_write
@pytest.mark.parametrize("document", [[], "x", 1, True, [{"name": "x"}]])
def test_a_body_that_is_no_object_is_refused(client: ContractClient, write: str, document: Any) -> None:
    """RFC 7396 would let a patch that is no object replace the whole; an item is always an object."""
    client.create()
    assert_violations(_write(client, write, document), {"pointer": "", "detail": "must be an object"})


@each_write
def test_a_body_that_is_null_is_refused(client: ContractClient, write: str) -> None:
    """It is not the same as none."""
    client.create()
    method, path = WRITES[write]
    response = client.request(method, path, content=b"null", headers={"Content-Type": JSON})
    assert_violations(response, {"pointer": "", "detail": "must be an object"})


@pytest.mark.parametrize("write", ["create_item", "replace_item"])
def test_a_name_is_required(client: ContractClient, write: str) -> None:
    """Of a whole item."""
    client.create()
    assert_violations(_write(client, write, {}), {"pointer": "/name", "detail": "is required"})


def test_what_is_refused_is_not_looked_up(client: ContractClient) -> None:
    """The contract comes first: 400 before 404."""
    assert client.put("/items/7", json={}).status_code == 400


@pytest.mark.parametrize("name", ["'; DROP TABLE items; --", "%' OR '1'='1", '"', "\\", ":name", "?", "{0}", "%s"])
def test_text_is_never_part_of_a_statement(client: ContractClient, name: str) -> None:
    """It comes back as it was, and everything else is as it was."""
    other = client.create("other")
    item = client.create(name, name)
    assert client.get("/items", params={"name": name}).json() == [item]
    assert client.get("/items").json() == [other, item]

"""Create, read, update and delete items; whole responses are compared."""

from typing import Any

import pytest

from tests.support import JSON, LIMITED, ContractClient, assert_item, assert_problem, assert_violations

NAME_RULE = "must not be blank, and must not contain control characters (U+0000 to U+001F, U+007F)"
NOT_ALLOWED = "is not allowed here; allowed properties: description, name"
ASTRAL = "𝔘"
MERGE_PATCH = "application/merge-patch+json"
WRITES = {"create_item": ("POST", "/items"), "replace_item": ("PUT", "/items/1"), "update_item": ("PATCH", "/items/1")}
each_write = pytest.mark.parametrize("write", WRITES)
each_change = pytest.mark.parametrize("write", ["replace_item", "update_item"])


def _write(client: ContractClient, write: str, document: Any, **headers: str) -> Any:
    method, path = WRITES[write]
    return client.request(method, path, json=document, headers=headers)


def test_a_new_item_is_returned_as_stored(client: ContractClient) -> None:
    """The response is a 201 with the URL, the version and the whole item, and both times are equal."""
    response = client.post("/items", json={"name": "Desk lamp", "description": "Brass"}, headers={"X-Request-Id": "r"})
    item = assert_item(response, 201, '"1"', id=1, name="Desk lamp", description="Brass")
    assert item["created_at"] == item["updated_at"]
    assert dict(response.headers) == {
        "content-type": JSON,
        "content-length": str(len(response.content)),
        "location": "/items/1",
        "etag": '"1"',
        "x-request-id": "r",
        "cache-control": "no-cache",
        **LIMITED,
    }


def test_location_is_the_url_of_the_item(client: ContractClient) -> None:
    """RFC 9110 §10.2.2."""
    created = client.post("/items", json={"name": "x"})
    assert client.get(created.headers["Location"]).content == created.content


@pytest.mark.parametrize("sent", [{"name": "x"}, {"name": "x", "description": None}])
def test_a_missing_description_is_null(client: ContractClient, sent: Any) -> None:
    """A null description is the same."""
    assert_item(client.post("/items", json=sent), 201, '"1"', id=1, name="x", description=None)


def test_names_need_not_be_unique(client: ContractClient) -> None:
    """Each request creates another item."""
    assert [client.create("x")["id"] for _ in range(3)] == [1, 2, 3]


def test_an_item_is_read_as_created(client: ContractClient) -> None:
    """The body and the ETag are the same."""
    created = client.post("/items", json={"name": "x"})
    response = client.get("/items/1")
    assert_item(response, 200, '"1"', **created.json())
    assert response.content == created.content
    assert "Location" not in response.headers


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("item_id", [2, 9007199254740991])
def test_a_missing_item_is_404(client: ContractClient, method: str, item_id: int) -> None:
    """This holds for every method; PUT does not create an item."""
    item = client.create()
    body = {"name": "x"} if method in ("PUT", "PATCH") else None
    assert_problem(client.request(method, f"/items/{item_id}", json=body), 404, f"There is no item {item_id}.")
    assert client.get("/items").json() == [item]


def test_replacing_writes_all_properties(client: ContractClient) -> None:
    """A missing description becomes null; the id and the creation time stay."""
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
def test_a_merge_patch_changes_the_given_properties(
    client: ContractClient, media_type: str, patch: bytes, name: str, description: str | None
) -> None:
    """RFC 7396: missing properties stay, and null clears; both media types are equivalent."""
    item = client.create("Desk lamp", "Brass")
    response = client.patch("/items/1", content=patch, headers={"Content-Type": media_type})
    changed = assert_item(response, 200, '"2"', id=1, name=name, description=description, created_at=item["created_at"])
    assert changed["updated_at"] > item["updated_at"]
    assert_item(client.get("/items/1"), 200, '"2"', **changed)


@pytest.mark.parametrize("media_type", [MERGE_PATCH, JSON])
def test_an_empty_patch_changes_nothing(client: ContractClient, media_type: str) -> None:
    """The version stays the same, too."""
    item = client.create("Desk lamp", "Brass")
    response = client.patch("/items/1", content=b"{}", headers={"Content-Type": media_type})
    assert_item(response, 200, '"1"', **item)
    assert_item(client.get("/items/1"), 200, '"1"', **item)


@each_write
def test_a_name_cannot_be_null(client: ContractClient, write: str) -> None:
    """A patch cannot remove a required property."""
    client.create()
    assert_violations(_write(client, write, {"name": None}), {"pointer": "/name", "detail": "must be a string"})
    assert client.get("/items/1").headers["ETag"] == '"1"'


def test_deleting_has_an_empty_response(client: ContractClient) -> None:
    """The response is a 204 with only the request id, and then the item is gone."""
    client.create()
    response = client.delete("/items/1", headers={"X-Request-Id": "r"})
    assert (response.status_code, response.content) == (204, b"")
    assert dict(response.headers) == {"x-request-id": "r", "cache-control": "no-store", **LIMITED}
    assert_problem(client.get("/items/1"), 404, "There is no item 1.")
    assert client.get("/items").json() == []


def test_deleting_twice_is_404_the_second_time(client: ContractClient) -> None:
    """The item no longer exists."""
    client.create()
    client.delete("/items/1")
    assert_problem(client.delete("/items/1"), 404, "There is no item 1.")


def test_an_id_is_never_reused(client: ContractClient) -> None:
    """This also holds for the last id, and after all items are deleted."""
    client.create()
    for item_id in (2, 3, 4):
        assert client.delete(f"/items/{client.create()['id']}").status_code == 204
        assert client.get(f"/items/{item_id}").status_code == 404
    client.delete("/items/1")
    assert client.create()["id"] == 5


def test_items_are_independent(client: ContractClient) -> None:
    """Changing or deleting an item does not affect another one."""
    first, second, third = (client.create(name) for name in "abc")
    client.put("/items/2", json={"name": "z"})
    assert [client.get(f"/items/{item['id']}").json() for item in (first, third)] == [first, third]
    client.delete(f"/items/{second['id']}")
    assert client.get("/items").json() == [first, third]


@each_write
@pytest.mark.parametrize("name", ["x" * 80, ASTRAL * 80, "👩‍👩‍👧‍👦" * 11, "e\u0301" * 40])
def test_a_name_can_have_80_code_points(client: ContractClient, write: str, name: str) -> None:
    """Their number of bytes or UTF-16 units does not matter."""
    client.create()
    response = _write(client, write, {"name": name})
    assert (response.status_code, response.json()["name"]) == (201 if write == "create_item" else 200, name)


@each_write
@pytest.mark.parametrize("name", ["x" * 81, ASTRAL * 81])
def test_a_name_cannot_have_81_code_points(client: ContractClient, write: str, name: str) -> None:
    """The service does not truncate it."""
    client.create()
    expected = {"pointer": "/name", "detail": "must have at most 80 characters; it has 81"}
    assert_violations(_write(client, write, {"name": name}), expected)


@each_write
@pytest.mark.parametrize("description", ["", "x" * 200, ASTRAL * 200, "two\nlines\t", " "])
def test_a_description_can_have_200_code_points(client: ContractClient, write: str, description: str) -> None:
    """Any text is valid, including the empty one."""
    client.create()
    response = _write(client, write, {"name": "x", "description": description})
    assert response.json()["description"] == description


@each_write
@pytest.mark.parametrize("description", ["x" * 201, ASTRAL * 201])
def test_a_description_cannot_have_201_code_points(client: ContractClient, write: str, description: str) -> None:
    """The service does not truncate it."""
    client.create()
    expected = {"pointer": "/description", "detail": "must have at most 200 characters; it has 201"}
    assert_violations(_write(client, write, {"name": "x", "description": description}), expected)


@each_write
def test_nul_is_rejected(client: ContractClient, write: str) -> None:
    """PostgreSQL cannot store it."""
    client.create()
    assert_violations(
        _write(client, write, {"name": "a\0", "description": "a\0b"}),
        {"pointer": "/description", "detail": "must not contain the character U+0000"},
        {"pointer": "/name", "detail": NAME_RULE},
    )


@each_write
@pytest.mark.parametrize("name", ["id", "created_at", "updated_at", "version", "owner", "Name", ""])
def test_other_properties_are_rejected(client: ContractClient, write: str, name: str) -> None:
    """Clients cannot write properties that the service owns."""
    client.create()
    response = _write(client, write, {"name": "x", name: 1})
    assert_violations(response, {"pointer": f"/{name}", "detail": NOT_ALLOWED})


@each_write
@pytest.mark.parametrize("value", [1, 1.5, True, [], {}, ["x"]])
def test_values_of_another_type_are_rejected(client: ContractClient, write: str, value: Any) -> None:
    """Values are not converted to strings."""
    client.create()
    assert_violations(
        _write(client, write, {"name": value, "description": value}),
        {"pointer": "/description", "detail": "must be a string or null"},
        {"pointer": "/name", "detail": "must be a string"},
    )


@each_write
@pytest.mark.parametrize("document", [[], "x", 1, True, [{"name": "x"}]])
def test_a_body_that_is_not_an_object_is_rejected(client: ContractClient, write: str, document: Any) -> None:
    """RFC 7396 lets such a patch replace the whole resource, but an item is always an object."""
    client.create()
    assert_violations(_write(client, write, document), {"pointer": "", "detail": "must be an object"})


@each_write
def test_a_null_body_is_rejected(client: ContractClient, write: str) -> None:
    """It is not the same as a missing body."""
    client.create()
    method, path = WRITES[write]
    response = client.request(method, path, content=b"null", headers={"Content-Type": JSON})
    assert_violations(response, {"pointer": "", "detail": "must be an object"})


@pytest.mark.parametrize("write", ["create_item", "replace_item"])
def test_a_name_is_required(client: ContractClient, write: str) -> None:
    """POST and PUT need a name."""
    client.create()
    assert_violations(_write(client, write, {}), {"pointer": "/name", "detail": "is required"})


def test_validation_comes_before_the_lookup(client: ContractClient) -> None:
    """The status is 400 and not 404."""
    assert client.put("/items/7", json={}).status_code == 400


@pytest.mark.parametrize("name", ["'; DROP TABLE items; --", "%' OR '1'='1", '"', "\\", ":name", "?", "{0}", "%s"])
def test_text_is_never_part_of_a_statement(client: ContractClient, name: str) -> None:
    """It is stored unchanged, and nothing else changes."""
    other = client.create("other")
    item = client.create(name, name)
    assert client.get("/items", params={"name": name}).json() == [item]
    assert client.get("/items").json() == [other, item]

"""Two principals: what one has made, the other can neither see, list, change, delete nor refer to (OWASP API1:2023).

Everything is taken from the secured contract, so new operations and resources are tried as well. A response to a
request for the other one's row equals that for a row that does not exist, so it does not even show that there is one.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from app import create_app
from app.settings import Settings
from tests.app.secured import (
    example_body,
    is_public,
    new_key,
    resolved,
    scopes,
    secured_operations,
    secured_settings,
)
from tests.resources import resources
from tests.support import ContractClient, SpecifiedOperation, links

ROWS = 3
MISSING = 9_000_000_000_000_007
"""An id that no row has."""
USUAL = {"items:read", "items:write"}
VARIANTS: list[dict[str, str]] = [
    {},
    {"If-Match": "*"},
    {"If-Match": '"1"'},
    {"If-Match": '"7"'},
    {"If-None-Match": "*"},
    {"If-None-Match": '"1"'},
    {"Prefer": "dry-run"},
    {"Idempotency-Key": "for-{id}"},
]
"""Headers that change what an operation does. Those that it does not declare have no effect."""
OPERATIONS = list(secured_operations())
COUNTS: Counter[str] = Counter()


@dataclass
class Person:
    """A principal, and the rows that they have made, by table."""

    client: ContractClient
    key: dict[str, str]
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def send(self, method: str, url: str, headers: dict[str, str] | None = None, body: Any = None) -> httpx.Response:
        """Send a request; `body` is a media type and a value."""
        sent = self.key | (headers or {})
        if body is not None:
            sent["Content-Type"] = body[0]
        COUNTS["requests"] += 1
        content = None if body is None else json.dumps(body[1])
        response: httpx.Response = self.client.request(method, url, headers=sent, content=content)
        return response

    def create(self, table: str) -> dict[str, Any]:
        """Create a row by the contract's first example, and before it what it refers to."""
        body = ("application/json", self.own(table, resources()[table].example))
        response = self.send("POST", f"/{table}", body=body)
        assert response.status_code == 201, response.text
        row: dict[str, Any] = response.json()
        self.rows.setdefault(table, []).append(row)
        return row

    def own(self, table: str, body: Any) -> Any:
        """An example whose references are to rows of this person."""
        references = _references(table)
        changed = {name: None for name, value in body.items() if value is not None and references.get(name) == table}
        for name in references.keys() & body.keys() - changed.keys():
            if body[name] is not None:
                rows = self.rows.get(references[name]) or [self.create(references[name])]
                changed[name] = rows[0]["id"]
        return {**body, **changed}

    def listed(self, url: str) -> list[dict[str, Any]]:
        """All pages that begin at a URL."""
        rows: list[dict[str, Any]] = []
        following: str | None = url
        while following is not None:
            response = self.send("GET", following)
            assert response.status_code == 200, response.text
            rows += response.json()
            following = links(response).get("next")
        return rows


def _references(table: str) -> dict[str, str]:
    """The tables that properties of a resource refer to."""
    properties = resources()[table].schemas["new"]["properties"]
    found = {name: resolved(schema).get("x-references") for name, schema in properties.items()}
    return {name: target for name, target in found.items() if target is not None}


@pytest.fixture(scope="module", name="people")
def _on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Person]]:
    """Two principals of a service on SQLite."""
    with principals(secured_settings(tmp_path_factory.mktemp("people"))) as both:
        yield both


@contextmanager
def principals(settings: Settings) -> Iterator[list[Person]]:
    """Run a service with two principals. Each has made rows of every resource, in turns."""
    COUNTS.clear()
    application = create_app(settings)
    with ContractClient(application) as client:
        both = [Person(client, new_key(application, name)) for name in ("ann", "bob")]
        for _ in range(ROWS):
            for person in both:
                for table in resources():
                    person.create(table)
        yield both
    print(f"\nTwo principals: {len(OPERATIONS)} operations of {len(resources())} resources, {dict(COUNTS)}")


@pytest.fixture(params=[0, 1], ids=["ann tries", "bob tries"])
def pair(people: list[Person], request: pytest.FixtureRequest) -> tuple[Person, Person]:
    """Who tries, and whose rows."""
    return people[request.param], people[1 - request.param]


def _table(operation: SpecifiedOperation) -> str:
    return operation.path.strip("/").partition("/")[0]


def _named(operations: list[SpecifiedOperation]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("operation", operations, ids=str)


OF_ONE = [each for each in OPERATIONS if "{" in each.path and _table(each) in resources()]
LISTS = [each for each in OPERATIONS if each.method == "GET" and each.path.strip("/") in resources()]
CREATES = [resource.create for resource in resources().values()]
PUBLIC = [each for each in OPERATIONS if is_public(each)]
SPECIAL = [each for each in OPERATIONS if scopes(each) - USUAL]


def test_every_operation_is_tried() -> None:
    """An operation that none of these tests knows needs a test of its own here."""
    tried = [str(each) for each in [*OF_ONE, *LISTS, *CREATES, *PUBLIC, *SPECIAL]]
    assert sorted(tried) == sorted(map(str, OPERATIONS))
    assert len(OF_ONE) >= 4 * len(resources())


def _url(operation: SpecifiedOperation, row_id: int) -> str:
    return "/".join(str(row_id) if part.startswith("{") else part for part in operation.path.split("/"))


def _comparable(response: httpx.Response, row_id: int) -> tuple[int, str, dict[str, str]]:
    """The whole response, but for the id that was asked for and the id of the request."""
    headers = {name: value for name, value in response.headers.items() if name not in ("x-request-id", "ratelimit")}
    headers.pop("content-length", None)  # the ids have different lengths
    return response.status_code, response.text.replace(str(row_id), "ID"), headers


@_named(OF_ONE)
def test_the_row_of_another_one_does_not_exist(pair: tuple[Person, Person], operation: SpecifiedOperation) -> None:
    """404 with the same headers and the same body as for an id that was never assigned; nothing changes."""
    person, other = pair
    table, example = _table(operation), example_body(operation)
    body = example and (example[0], person.own(table, example[1]))
    (row, *_) = other.rows[table]
    before = other.send("GET", f"/{table}/{row['id']}")
    for headers in VARIANTS:
        found = []
        for row_id in (row["id"], MISSING):
            sent = {name: value.format(id=row_id) for name, value in headers.items()}
            response = person.send(operation.method, _url(operation, row_id), sent, body)
            found.append(_comparable(response, row_id))
        assert found[0] == found[1]
        assert found[0][0] == 404
        COUNTS["attempts"] += 1
    after = other.send("GET", f"/{table}/{row['id']}")
    assert (after.json(), after.headers["ETag"]) == (before.json(), before.headers["ETag"])


@_named(LISTS)
def test_a_list_has_only_the_own_rows(pair: tuple[Person, Person], operation: SpecifiedOperation) -> None:
    """In every order, filtered as the other one would, and from cursors of the other one."""
    person, other = pair
    table = _table(operation)
    mine, theirs = ({row["id"] for row in each.rows[table]} for each in pair)
    parameters = {each["name"]: resolved(each["schema"]) for each in operation.definition["parameters"]}
    assert {"limit", "cursor", "sort"} <= parameters.keys()
    queries = [f"limit=2&sort={sort}" for sort in parameters["sort"]["enum"]]
    filters = parameters.keys() - {"limit", "cursor", "sort"}
    queries += [f"limit=2&sort=id&{name}={other.rows[table][0][name]}" for name in filters]
    for query in queries:
        url = f"{operation.path}?{query}"
        assert {row["id"] for row in person.listed(url)} == mine
        following = links(other.send("GET", url))["next"]
        assert {row["id"] for row in person.listed(following)} <= mine
        assert {row["id"] for row in other.listed(following)} <= theirs
        COUNTS["listings"] += 1


@_named(CREATES)
def test_nothing_refers_to_the_row_of_another_one(pair: tuple[Person, Person], operation: SpecifiedOperation) -> None:
    """409 as for a row that does not exist, when a row is created, replaced and updated."""
    person, other = pair
    table = _table(operation)
    for name, target in _references(table).items():
        theirs = other.rows[target][0]["id"]
        example = person.own(table, resources()[table].example)
        for method, url, body in (
            ("POST", f"/{table}", example),
            ("PUT", f"/{table}/{person.rows[table][0]['id']}", example),
            ("PATCH", f"/{table}/{person.rows[table][0]['id']}", {}),
        ):
            found = [
                _comparable(person.send(method, url, body=("application/json", {**body, name: row_id})), row_id)
                for row_id in (theirs, MISSING)
            ]
            assert found[0] == found[1]
            assert found[0][0] == 409
            COUNTS["references"] += 1


@_named(PUBLIC)
def test_a_public_operation_shows_nothing_of_anyone(people: list[Person], operation: SpecifiedOperation) -> None:
    """Its response without a credential has no text of a row."""
    response = people[0].client.request(operation.method, operation.path)
    assert response.status_code == 200
    texts = {
        value
        for person in people
        for rows in person.rows.values()
        for row in rows
        for value in row.values()
        if isinstance(value, str)
    }
    assert [text for text in texts if text in response.text] == []


@_named([each for each in OPERATIONS if not is_public(each)])
def test_without_a_credential_there_is_nothing(people: list[Person], operation: SpecifiedOperation) -> None:
    """401."""
    (row, *_) = people[0].rows["items"]
    example = example_body(operation)
    headers = {} if example is None else {"Content-Type": example[0]}
    content = None if example is None else json.dumps(example[1])
    response = people[0].client.request(operation.method, _url(operation, row["id"]), headers=headers, content=content)
    assert response.status_code == 401


@_named(SPECIAL)
def test_other_scopes_are_not_implied(pair: tuple[Person, Person], operation: SpecifiedOperation) -> None:
    """403."""
    assert pair[0].send(operation.method, operation.path).status_code == 403


def test_the_own_rows_are_there(people: list[Person]) -> None:
    """The same requests work for who made the row: so it is the owner that makes the difference."""
    for person in people:
        for operation in sorted(OF_ONE, key=lambda each: each.method == "DELETE"):
            if operation.method == "DELETE":
                continue
            table, example = _table(operation), example_body(operation)
            body = example and (example[0], person.own(table, example[1]))
            (row, *_) = person.rows[table]
            assert person.send(operation.method, _url(operation, row["id"]), body=body).status_code == 200
    for person in people:
        for table in _deletable():
            for row in person.rows[table]:
                assert person.send("DELETE", f"/{table}/{row['id']}").status_code == 204
        assert [person.listed(f"/{table}") for table in resources()] == [[]] * len(resources())


def _deletable() -> list[str]:
    """The tables, each before those that it refers to."""
    found: list[str] = []

    def add(table: str) -> None:
        if table not in found:
            for target in sorted(resources()[table].references - {table}):
                add(target)
            found.append(table)

    for table in resources():
        add(table)
    return found[::-1]

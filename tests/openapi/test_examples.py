"""The spec's examples are true: sent to the service, each request gets the documented response, word for word."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from db.engine import Database
from tests.resources import ContractResource, create_example, resources
from tests.support import ContractClient, SpecifiedOperation, links, operations, resolve, specification

RequestExample = tuple[SpecifiedOperation, str, str, Any]


def _example(name: str) -> Any:
    return specification()["components"]["examples"][name]["value"]


def _bodies() -> Iterator[RequestExample]:
    for operation in operations():
        body = resolve(operation.definition.get("requestBody", {}))
        for media_type, content in body.get("content", {}).items():
            for name, example in content["examples"].items():
                yield operation, media_type, name, resolve(example)["value"]


def _request_examples() -> Iterator[Any]:
    for case in _bodies():
        yield pytest.param(case, id="-".join(map(str, case[:3])))


def _success(operation: SpecifiedOperation) -> int:
    return next(int(status) for status in operation.definition["responses"] if status.startswith("2"))


def _parameters(operation: SpecifiedOperation, place: str) -> dict[str, Any]:
    declared = [
        *specification()["paths"][operation.path].get("parameters", []),
        *operation.definition.get("parameters", []),
    ]
    return {parameter["name"]: parameter["example"] for parameter in map(resolve, declared) if parameter["in"] == place}


def _create_what_it_needs(client: ContractClient, operation: SpecifiedOperation) -> None:
    """What the operation's path names, which has the id 1, and what a row there can refer to; nothing refers to it."""
    table = operation.path.split("/")[1]
    if table in resources():
        create_example(client, table)


@pytest.mark.parametrize("case", list(_request_examples()))
def test_a_request_example_gets_the_documented_response(client: ContractClient, case: RequestExample) -> None:
    """With the examples of the parameters beside it; the properties that were sent come back."""
    operation, media_type, _, value = case
    _create_what_it_needs(client, operation)
    response = client.request(
        operation.method,
        operation.path.format(**_parameters(operation, "path")),
        params=_parameters(operation, "query"),
        headers=_parameters(operation, "header") | {"Content-Type": media_type},
        json=value,
    )
    assert response.status_code == _success(operation), response.text
    assert {name: response.json()[name] for name in value} == value


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_the_parameters_examples_are_accepted_together(client: ContractClient, operation: SpecifiedOperation) -> None:
    """What Swagger UI fills in can be sent as it is, and does not get a 4xx."""
    _create_what_it_needs(client, operation)
    body = resolve(operation.definition.get("requestBody", {})).get("content", {})
    headers, sent = _parameters(operation, "header"), None
    for media_type, content in list(body.items())[:1]:
        headers["Content-Type"] = media_type
        sent = resolve(next(iter(content["examples"].values())))["value"]
    response = client.request(
        operation.method,
        operation.path.format(**_parameters(operation, "path")),
        params=_parameters(operation, "query"),
        headers=headers,
        json=sent,
    )
    assert response.status_code < 400, response.text


@pytest.mark.parametrize("resource", resources().values(), ids=resources().keys())
def test_the_example_of_a_resource_is_what_its_request_example_makes(
    client: ContractClient, resource: ContractResource
) -> None:
    """The response of POST is the first body of POST as it is stored in an empty database; only the times differ."""
    content = resolve(resource.create.definition["responses"]["201"])["content"]["application/json"]
    stored = resolve(next(iter(content["examples"].values())))["value"]
    times = {name: stored[name] for name in ("created_at", "updated_at")}
    assert create_example(client, resource.table) | times == stored


def test_the_examples_of_headers_are_true(client: ContractClient) -> None:
    """`Location` and `ETag` of the first item."""
    response = client.post("/items", json=_example("NewItem"))
    assert response.headers["Location"] == specification()["components"]["headers"]["Location"]["example"]
    assert response.headers["ETag"] == specification()["components"]["headers"]["ETag"]["example"]


def test_the_examples_of_lists_are_true(client: ContractClient) -> None:
    """NoItems, and TwoItems but for the times."""
    assert client.get("/items").json() == _example("NoItems")
    for item in _example("TwoItems"):
        client.create(item["name"], item["description"])
    times = ("created_at", "updated_at")
    expected = [{name: item[name] for name in item if name not in times} for item in _example("TwoItems")]
    assert [
        {name: item[name] for name in item if name not in times} for item in client.get("/items").json()
    ] == expected


def test_the_example_of_link_is_true(client: ContractClient) -> None:
    """Three items, two a page: the header of the first page is the example, and its `next` leads on."""
    for name in ("one", "two", "three"):
        client.create(name)
    response = client.get("/items?limit=2")
    assert response.headers["Link"] == specification()["components"]["headers"]["Link"]["example"]
    assert [item["name"] for item in client.get(links(response)["next"]).json()] == ["three"]


def test_the_example_of_health_is_true(client: ContractClient) -> None:
    """For both operations."""
    assert client.get("/healthz").json() == client.get("/readyz").json() == _example("Healthy")


def _precondition_failed(client: ContractClient) -> Any:
    client.create()
    client.patch("/items/1", json={"name": "Reading lamp"})
    return client.delete("/items/1", headers={"If-Match": '"1"'})


ASK: dict[str, Callable[[ContractClient], httpx.Response]] = {
    "BadRequest": lambda client: client.post("/items", json={"colour": "green"}),
    "NotFound": lambda client: client.get("/items/7"),
    "PageNotFound": lambda client: client.get("/items?cursor=x"),
    "MethodNotAllowed": lambda client: client.request("TRACE", "/items"),
    "NotAcceptable": lambda client: client.get("/items", headers={"Accept": "text/html"}),
    "PreconditionFailed": _precondition_failed,
    "ContentTooLarge": lambda client: client.post("/items", json={"name": "x" * 65536}),
    "UnsupportedMediaType": lambda client: client.post("/items", content=b"x", headers={"Content-Type": "text/plain"}),
    "UnsupportedContentCoding": lambda client: client.post("/items", json={}, headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("name", ASK)
def test_the_example_of_a_problem_is_the_response(client: ContractClient, name: str) -> None:
    """Word for word."""
    response = ASK[name](client)
    assert response.json() == _example(name)
    assert response.status_code == _example(name)["status"]


def test_the_example_of_an_internal_error_is_the_response(
    client: ContractClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its own request id in place of the example's."""
    monkeypatch.setattr(Database, "read", lambda _self: 1 / 0)
    response = client.get("/items", headers={"X-Request-Id": _example("InternalServerError")["request_id"]})
    assert response.json() == _example("InternalServerError")
    assert response.status_code == 500


def test_the_examples_of_database_problems_are_what_the_table_says() -> None:
    """503, 507 and 409 say what db.errors says."""
    from db.errors import BUSY, CONSTRAINT, FULL

    said = {
        _example(name)["status"]: _example(name)["detail"]
        for name in ("ServiceUnavailable", "InsufficientStorage", "Conflict")
    }
    assert said == {failure.status: failure.detail for failure in (BUSY, FULL, CONSTRAINT)}
    retry = specification()["components"]["headers"]["Retry-After"]
    assert retry["example"] == BUSY.retry_after

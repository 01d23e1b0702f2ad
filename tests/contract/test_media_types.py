"""`Accept` and `Content-Type`: 406 when JSON is excluded, 415 for what is not in the contract."""

from typing import Any

import pytest

from tests.support import JSON, PATHS, ContractClient, SpecifiedOperation, assert_problem, assert_violations, operations

WRITING = [operation for operation in operations() if "requestBody" in operation.definition]
SENDING = [operation for operation in operations() if {"200", "201"} & operation.definition["responses"].keys()]
each_writing_operation = pytest.mark.parametrize("operation", WRITING, ids=str)
each_write_of_items = pytest.mark.parametrize(
    "operation", [operation for operation in WRITING if operation.definition["tags"] == ["items"]], ids=str
)
MEDIA_TYPES = {str(operation): ", ".join(operation.definition["requestBody"]["content"]) for operation in WRITING}


def _send(client: ContractClient, operation: SpecifiedOperation, **sent: Any) -> Any:
    return client.request(operation.method, PATHS[operation.path], **sent)


def _unsupported(operation: SpecifiedOperation, says: str) -> str:
    accepted = MEDIA_TYPES[str(operation)]
    return f"Content-Type must be {accepted}, with charset UTF-8 or none; {says}."


@pytest.mark.parametrize(
    "accept", ["text/html", "application/json;q=0", "application/problem+json", "application/json;q=0, */*", "garbage"]
)
@pytest.mark.parametrize("operation", SENDING, ids=str)
def test_an_accept_that_rules_json_out_is_406(
    client: ContractClient, operation: SpecifiedOperation, accept: str
) -> None:
    """Nothing is done."""
    item = client.create()
    response = _send(
        client, operation, headers={"Accept": accept}, json={"name": "y"} if operation in WRITING else None
    )
    assert_problem(response, 406, "Only application/json is available, and the Accept header excludes it.")
    assert client.get("/items").json() == [item]


@pytest.mark.parametrize(
    "accept", [None, "", "*/*", "application/*", "application/json", "text/html, */*;q=0.1", "Application/JSON;q=1"]
)
def test_an_accept_that_leaves_json_is_served(client: ContractClient, accept: str | None) -> None:
    """As is none."""
    headers = [] if accept is None else [("Accept", accept.encode())]
    response = client.exchange("GET", "/items", headers)
    assert (response.status_code, response.headers["Content-Type"], response.content) == (200, JSON, b"[]\n")


def test_lines_of_accept_are_one_list(client: ContractClient) -> None:
    """RFC 9110 §5.3."""
    assert client.exchange("GET", "/items", [("Accept", b"text/html"), ("Accept", b"*/*;q=0.1")]).status_code == 200


def test_what_has_no_body_needs_no_accept(client: ContractClient) -> None:
    """A 204 fits every Accept."""
    client.create()
    assert client.delete("/items/1", headers={"Accept": "text/html"}).status_code == 204


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/json",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "application/problem+json",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json; charset=no-such-charset",
        "json",
        "*/*",
        "application/*",
        "",
    ],
)
@each_writing_operation
def test_another_content_type_is_415(client: ContractClient, operation: SpecifiedOperation, content_type: str) -> None:
    """With `Accept` saying what would be taken (RFC 9110 §15.5.16); nothing is done."""
    item = client.create()
    response = _send(client, operation, content=b'{"name":"y"}', headers={"Content-Type": content_type})
    detail = _unsupported(operation, f"it is {content_type}")
    assert_problem(response, 415, detail, headers={"Accept": MEDIA_TYPES[str(operation)]})
    assert client.get("/items").json() == [item]


@each_writing_operation
def test_a_body_without_a_content_type_is_415(client: ContractClient, operation: SpecifiedOperation) -> None:
    """With a length, and in chunks."""
    detail = _unsupported(operation, "the header is missing")
    for framing in (("Content-Length", b"12"), ("Transfer-Encoding", b"chunked")):
        response = client.exchange(operation.method, PATHS[operation.path], [framing], [b'{"name":"y"}'])
        assert_problem(response, 415, detail, headers={"Accept": MEDIA_TYPES[str(operation)]})


@pytest.mark.parametrize("headers", [[], [("Content-Length", b"0")], [("Content-Type", b"application/json")]])
@each_writing_operation
def test_no_body_is_a_400_that_asks_for_it(client: ContractClient, operation: SpecifiedOperation, headers: Any) -> None:
    """And needs no Content-Type."""
    response = client.exchange(operation.method, PATHS[operation.path], headers)
    assert_violations(response, {"pointer": "", "detail": "is required"})


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/json; profile=x",
    ],
)
@each_write_of_items
def test_the_form_of_a_content_type_does_not_matter(
    client: ContractClient, operation: SpecifiedOperation, content_type: str
) -> None:
    """RFC 9110 §8.3.1: neither case nor parameters."""
    client.create()
    response = _send(client, operation, content=b'{"name":"y"}', headers={"Content-Type": content_type})
    assert (response.status_code, response.json()["name"]) == (201 if operation.method == "POST" else 200, "y")


def test_a_merge_patch_is_only_taken_by_patch(client: ContractClient) -> None:
    """RFC 7396 says nothing of POST or PUT."""
    client.create()
    for method, path in (("POST", "/items"), ("PUT", "/items/1")):
        response = client.request(
            method, path, content=b'{"name":"y"}', headers={"Content-Type": "application/merge-patch+json"}
        )
        assert response.status_code == 415


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "x", "GZIP,GZIP"])
@each_writing_operation
def test_an_encoded_body_is_415(client: ContractClient, operation: SpecifiedOperation, coding: str) -> None:
    """RFC 9110 §15.5.16: the response says what would do, and does not have the `Accept` of a wrong media type."""
    media_type = MEDIA_TYPES[str(operation)].partition(",")[0]
    headers = [("Content-Type", media_type.encode()), ("Content-Encoding", coding.encode())]
    response = client.exchange(operation.method, PATHS[operation.path], headers, [b"x"])
    detail = f"Content-Encoding must be identity or missing; it is {coding}."
    assert_problem(response, 415, detail, headers={"Accept-Encoding": "identity"})
    assert "Accept" not in response.headers


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_identity_is_no_coding(client: ContractClient, coding: str) -> None:
    """RFC 9110 §12.5.3."""
    assert client.post("/items", json={"name": "x"}, headers={"Content-Encoding": coding}).status_code == 201

"""Bodies: at most 64 KiB, in chunks or not, which is the same."""

import logging

import pytest

from tests.support import JSON, PATHS, ContractClient, SpecifiedOperation, assert_item, assert_problem, operations

LIMIT = 65536
WRITING = [operation for operation in operations() if "requestBody" in operation.definition]
each_writing_operation = pytest.mark.parametrize("operation", WRITING, ids=str)
each_write_of_items = pytest.mark.parametrize(
    "operation", [operation for operation in WRITING if operation.definition["tags"] == ["items"]], ids=str
)


def _body_of(length: int) -> bytes:
    return b'{"name":"x"}'.ljust(length)


@each_writing_operation
def test_a_body_beyond_the_limit_is_413(client: ContractClient, operation: SpecifiedOperation) -> None:
    """By its Content-Length, before a byte of it is read."""
    client.create()
    headers = [("Content-Type", b"application/json"), ("Content-Length", b"65537")]
    response = client.exchange(operation.method, PATHS[operation.path], headers, chunks=[])
    assert_problem(response, 413, "The body may have at most 65536 bytes.")


@each_writing_operation
def test_a_body_beyond_the_limit_in_chunks_is_413(client: ContractClient, operation: SpecifiedOperation) -> None:
    """As soon as it is; nothing is done."""
    item = client.create()
    headers = [("Content-Type", b"application/json"), ("Transfer-Encoding", b"chunked")]
    response = client.exchange(operation.method, PATHS[operation.path], headers, [_body_of(LIMIT), b" ", b" "])
    assert_problem(response, 413, "The body may have at most 65536 bytes.")
    assert client.get("/items").json() == [item]


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "in chunks"])
@each_write_of_items
def test_a_body_at_the_limit_is_taken(client: ContractClient, operation: SpecifiedOperation, chunked: bool) -> None:  # noqa: FBT001
    """65,536 bytes."""
    client.create()
    body = _body_of(LIMIT)
    framing = ("Transfer-Encoding", b"chunked") if chunked else ("Content-Length", b"65536")
    headers = [("Content-Type", b"application/json"), framing]
    response = client.exchange(operation.method, PATHS[operation.path], headers, [body[:10], body[10:]])
    assert response.status_code in (200, 201)


@pytest.mark.parametrize("operation", [op for op in operations() if op not in WRITING], ids=str)
def test_a_body_that_nobody_asked_for_has_the_same_limit(client: ContractClient, operation: SpecifiedOperation) -> None:
    """GET and DELETE give a body no meaning (RFC 9110 §9.3.1, §9.3.5), and do not swallow any amount of it."""
    client.create()
    response = client.exchange(operation.method, PATHS[operation.path], [("Content-Length", b"65537")], chunks=[])
    assert_problem(response, 413, "The body may have at most 65536 bytes.")


@pytest.mark.parametrize("length", [b"abc", b"", b"-1", b"1.0", b"0x1", b"5, 5", b"\xb2", b"9" * 5000])
def test_a_content_length_that_is_no_number_is_no_internal_error(client: ContractClient, length: bytes) -> None:
    """The server refuses it before; if it did not, the client would get a response all the same (RFC 9112 §6.3)."""
    headers = [("Content-Type", b"application/json"), ("Content-Length", length)]
    response = client.exchange("POST", "/items", headers, [b'{"name":"x"}'])
    assert response.status_code in (201, 400, 413)


@pytest.mark.parametrize("size", [1, 2, 5, 7, 1000])
@pytest.mark.parametrize("operation", [op for op in WRITING if op.definition["tags"] == ["items"]], ids=str)
def test_a_body_in_chunks_is_the_same_as_one_with_a_length(
    client: ContractClient, operation: SpecifiedOperation, size: int
) -> None:
    """However it is divided, also inside a character; empty chunks are nothing."""
    client.create()
    body = '{"name":"Löwe 😀","description":null}'.encode()
    chunks = [b"", *(body[start : start + size] for start in range(0, len(body), size)), b""]
    headers = [("Content-Type", b"application/json"), ("Transfer-Encoding", b"chunked")]
    response = client.exchange(operation.method, PATHS[operation.path], headers, chunks)
    status, etag, item_id = (201, '"1"', 2) if operation.method == "POST" else (200, '"2"', 1)
    assert_item(response, status, etag, id=item_id, name="Löwe 😀", description=None)


def test_a_violation_in_chunks_is_the_same_as_one_with_a_length(client: ContractClient) -> None:
    """Word for word."""
    whole = client.post("/items", content=b'{"nme":1}', headers={"Content-Type": JSON})
    headers = [("Content-Type", b"application/json"), ("Transfer-Encoding", b"chunked")]
    assert client.exchange("POST", "/items", headers, [b'{"n', b'me":1}']).content == whole.content
    assert client.exchange("POST", "/items", headers, [b"", b""]).json()["errors"] == [
        {"pointer": "", "detail": "is required"}
    ]


@pytest.mark.parametrize("chunks", [[], [b'{"name"'], [b'{"name":"x"}']])
def test_a_client_that_goes_away_changes_nothing(
    client: ContractClient, caplog: pytest.LogCaptureFixture, chunks: list[bytes]
) -> None:
    """Before its body was complete, even if what came would do; nobody is responded, and it is no error."""
    caplog.set_level(logging.WARNING, logger="contract")
    headers = [("Content-Type", b"application/json"), ("Content-Length", b"30")]
    assert client.abandon("POST", "/items", headers, chunks) == []
    assert client.get("/items").json() == []
    assert [record for record in caplog.records if record.name.startswith("contract")] == []

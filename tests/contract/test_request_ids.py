"""Request ids: the client's if valid, else a new one; on every response, and known to the handler."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from contract.serving.request_ids import request_id
from db.engine import Database
from tests.support import JSON, MADE_REQUEST_ID, ContractClient

RESULTS: dict[str, Callable[..., httpx.Response]] = {
    "200": lambda client, **sent: client.get("/items", **sent),
    "201": lambda client, **sent: client.post("/items", json={"name": "x"}, **sent),
    "204": lambda client, **sent: client.delete("/items/1", **sent),
    "OPTIONS": lambda client, **sent: client.options("/items", **sent),
    "HEAD": lambda client, **sent: client.head("/items", **sent),
    "308": lambda client, **sent: client.get("/ui", **sent),
    "400": lambda client, **sent: client.get("/items?limit=0", **sent),
    "404 of an item": lambda client, **sent: client.get("/items/7", **sent),
    "404 of a path": lambda client, **sent: client.get("/nowhere", **sent),
    "405": lambda client, **sent: client.delete("/items", **sent),
    "405 of a page": lambda client, **sent: client.delete("/ui/", **sent),
    "413": lambda client, **sent: client.post(
        "/items", content=b"x" * 70000, headers={"Content-Type": JSON} | sent.pop("headers")
    ),
    "415": lambda client, **sent: client.post("/items", content=b"x", **sent),
    "page": lambda client, **sent: client.get("/ui/", **sent),
    "spec": lambda client, **sent: client.get("/openapi.json", **sent),
}


@pytest.mark.parametrize("kind", RESULTS)
def test_every_response_has_the_clients_request_id(client: ContractClient, kind: str) -> None:
    """Once."""
    client.create()
    response = RESULTS[kind](client, headers={"X-Request-Id": "abc-1"})
    assert response.headers.get_list("X-Request-Id") == ["abc-1"]


@pytest.mark.parametrize("kind", RESULTS)
def test_every_response_has_a_made_request_id_otherwise(client: ContractClient, kind: str) -> None:
    """32 hexadecimal digits, others each time."""
    first, second = (RESULTS[kind](client, headers={}).headers["X-Request-Id"] for _ in range(2))
    assert MADE_REQUEST_ID.fullmatch(first)
    assert MADE_REQUEST_ID.fullmatch(second)
    assert first != second


@pytest.mark.parametrize(
    "given", ["a", "x" * 64, "0b9b2c5e-6f7a-4d8e-9c1a-2b3c4d5e6f70", "Root=1-67891233-abcdef01", "a._~:+/=@-Z"]
)
def test_a_valid_request_id_is_taken(client: ContractClient, given: str) -> None:
    """As the contract says: 1 to 64 letters, digits or `. _ ~ : + / = @ -`."""
    assert client.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize(
    "given", [b"", b"x" * 65, b"a b", b"a,b", b"a\nb", b'"a"', b"<a>", b"\xe9", b"a;b", b"a\x00", b"%0A"]
)
def test_another_request_id_is_not(client: ContractClient, given: bytes) -> None:
    """It would be in the log; a new one is made."""
    response = client.exchange("GET", "/healthz", [("X-Request-Id", given)])
    assert MADE_REQUEST_ID.fullmatch(response.headers["X-Request-Id"])


def test_two_request_ids_are_none(client: ContractClient) -> None:
    """Which one was meant cannot be known."""
    response = client.exchange("GET", "/healthz", [("X-Request-Id", b"a"), ("X-Request-Id", b"b")])
    assert MADE_REQUEST_ID.fullmatch(response.headers["X-Request-Id"])


def test_the_handler_knows_the_request_id(client: ContractClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whichever thread it runs: what it logs belongs to the request."""
    seen: list[str] = []
    read = Database.read

    def read_and_remember(database: Database) -> Any:
        seen.append(request_id.get())
        return read(database)

    monkeypatch.setattr(Database, "read", read_and_remember)
    for given in ("first", "second"):
        client.get("/items", headers={"X-Request-Id": given})
    assert seen == ["first", "second"]

"""CORS: pages of the allowed origins may call every operation, and read every header that the contract declares."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest

from app import create_app
from app.cors import Cors
from app.settings import Settings, SettingsError
from tests.support import ContractClient, specification

ORIGIN, OTHER = "https://app.example.com", "https://evil.example"
CORS = ("access-control-allow-origin", "access-control-expose-headers", "access-control-allow-methods",
        "access-control-allow-headers", "access-control-max-age", "access-control-allow-credentials")  # fmt: skip


@pytest.fixture
def client(settings: Settings) -> Iterator[ContractClient]:
    """A client of a service that allows one origin."""
    with ContractClient(create_app(replace(settings, cors_origins=(ORIGIN, "http://localhost:3000")))) as started:
        yield started


def found(response: object) -> set[str]:
    """The names of CORS's headers in a response."""
    return {name for name in CORS if name in response.headers}  # type: ignore[attr-defined]


def test_an_allowed_page_may_read_the_response(client: ContractClient) -> None:
    """With the headers that the contract declares, and without cookies."""
    response = client.post("/items", json={"name": "Lamp"}, headers={"Origin": ORIGIN})
    assert response.status_code == 201
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"ETag", "Location", "Link", "X-Request-Id", "Retry-After", "Idempotency-Replayed"} <= set(exposed)
    assert response.headers["Vary"] == "Origin"
    assert found(response) == {"access-control-allow-origin", "access-control-expose-headers"}


@pytest.mark.parametrize("origin", [None, OTHER, "null", ORIGIN.upper(), f"{ORIGIN}.evil.example", f"{ORIGIN}:8443"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_other_pages_may_not(client: ContractClient, origin: str | None, method: str) -> None:
    """The response is as ever; `Vary` keeps a cache from giving it to an allowed page."""
    headers = {} if origin is None else {"Origin": origin, "Access-Control-Request-Method": "GET"}
    response = client.request(method, "/items", headers=headers)
    assert response.status_code == {"GET": 200, "OPTIONS": 204}[method]
    assert found(response) == set()
    assert response.headers["Vary"] == "Origin"


def test_a_preflight_gets_the_methods_of_the_path(client: ContractClient) -> None:
    """And the headers that operations take, those of credentials among them."""
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}
    response = client.options("/items/1", headers=headers)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["Access-Control-Allow-Methods"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    allowed = set(response.headers["Access-Control-Allow-Headers"].split(", "))
    assert {"Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "Prefer"} <= allowed
    assert response.headers["Access-Control-Max-Age"] == "7200"
    assert "access-control-allow-credentials" not in response.headers


def test_operations_behind_a_reference_count() -> None:
    """Their headers are allowed and exposed as well."""
    document: dict[str, Any] = {**specification()}
    paths = {path: {"$ref": f"#/x-items/{number}"} for number, path in enumerate(document["paths"])}
    behind = {**document, "paths": paths, "x-items": list(document["paths"].values())}
    plain, other = (Cors(Mock(), [ORIGIN], each) for each in (document, behind))
    assert (other._allowed, other._exposed) == (plain._allowed, plain._exposed)
    assert b"If-Match" in other._allowed


def test_a_preflight_needs_no_credential(settings: Settings) -> None:
    """Browsers send none; the header of the key is allowed."""
    secured = replace(settings, cors_origins=(ORIGIN,), access="secured")
    with ContractClient(create_app(secured)) as client:
        headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
        response = client.options("/items", headers=headers)
        assert response.status_code == 204
        assert "X-API-Key" in response.headers["Access-Control-Allow-Headers"].split(", ")
        refused = client.get("/items", headers={"Origin": ORIGIN})
        assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, ORIGIN)
        assert "WWW-Authenticate" in refused.headers["Access-Control-Expose-Headers"].split(", ")


@pytest.mark.parametrize("path", ["/nothing", "/items/x", "/openapi.json", "/ui/"])
def test_errors_and_pages_can_be_read_too(client: ContractClient, path: str) -> None:
    """A page can show what went wrong. Other values of `Vary` stay."""
    response = client.get(path, headers={"Origin": ORIGIN})
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Origin" in response.headers["Vary"].split(", ")


def test_without_the_setting_there_is_nothing_of_it(settings: Settings) -> None:
    """It is off by default."""
    with ContractClient(create_app(settings)) as client:
        response = client.get("/items", headers={"Origin": ORIGIN})
        assert found(response) == set()
        assert "Vary" not in response.headers


@pytest.mark.parametrize(
    "text", ["*", "null", "app.example.com", "https://", "https://a.example/", "https://a.example/x", "ftp://a.example",
             "https://a.example,", "https://*.example", "https://user@a.example"],
)  # fmt: skip
def test_only_origins_are_allowed(text: str) -> None:
    """A list is for origins that the setting names."""
    with pytest.raises(SettingsError, match="CORS_ORIGINS must be a list of origins"):
        Settings.from_environ({"CORS_ORIGINS": text})


def test_origins_are_read_as_browsers_write_them() -> None:
    """In lower case."""
    settings = Settings.from_environ({"CORS_ORIGINS": "https://App.Example.com, http://localhost:3000"})
    assert settings.cors_origins == ("https://app.example.com", "http://localhost:3000")

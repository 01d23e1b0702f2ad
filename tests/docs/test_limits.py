"""`docs/limits.md`: its blocks are put into the contract, and the service does what the page says."""

from collections.abc import Callable
from typing import Any

import httpx
import yaml
from connexion import FlaskApp
from starlette.testclient import TestClient

import app
import contract
from app.rate_limits import RateLimits
from tests.docs.markdown import blocks, read, table
from tests.support import specification

LIMIT, RETIREMENT = blocks(read("docs/limits.md"), "yaml")


def _responses(edit: Callable[[dict[str, Any]], object], path: str, number: int) -> list[httpx.Response]:
    """The first responses of a service with an edited contract. It has no database: responses can be a 500."""
    document = yaml.safe_load(yaml.safe_dump(specification()))
    edit(document)
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                operation["parameters"] = [
                    each
                    for each in operation.get("parameters", [])
                    if not each["$ref"].endswith(("/IdempotencyKey", "/Prefer"))
                ]
    application = FlaskApp(__name__, server_args={"static_folder": None})
    contract.install(application, document, app.HANDLERS, limiter=RateLimits())
    with TestClient(application, raise_server_exceptions=False) as client:
        return [client.get(path) for _ in range(number)]


def test_the_limit_of_the_page() -> None:
    """The contract has it once it is put there."""
    responses = _responses(lambda document: document.update(yaml.safe_load(LIMIT)), "/items", 2)
    assert [response.headers["RateLimit"] for response in responses] == [
        f'"default";r={left};t=60' for left in (5999, 5998)
    ]


def test_the_retirement_of_the_page() -> None:
    """Its operation announces it."""
    get = yaml.safe_load(RETIREMENT)["get"]
    assert get["operationId"] == "list_items"
    (response,) = _responses(lambda document: document["paths"]["/items"]["get"].update(get), "/items", 1)
    assert response.headers["Deprecation"] == "@1793491200"
    assert response.headers["Sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"


def test_the_headers_are_those_of_the_contract() -> None:
    """`docs/http.md` has its limit, and the examples of its headers."""
    headers = specification()["components"]["headers"]
    shown = {name.strip("`"): example.strip("`") for name, example, _ in table(read("docs/http.md"), "Rate limits")}
    assert {name: headers[name]["example"] for name in ("RateLimit", "RateLimit-Policy")} == {
        name: shown[name] for name in ("RateLimit", "RateLimit-Policy")
    }
    limit = specification()["x-rate-limit"]
    assert f"{limit['requests']:,} in {limit['seconds']} s" in read("docs/http.md")
    assert f"{limit['requests']:,} requests in {limit['seconds']} s" in read("docs/limits.md")
    assert headers["RateLimit-Policy"]["example"] == f'"default";q={limit["requests"]};w={limit["seconds"]}'

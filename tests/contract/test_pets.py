"""The contract serves another spec, a pet store's with its security, as well as the one it was written beside."""

import base64
import re
from collections.abc import Iterator

import pytest

from contract.spec.loading import load as load_contract
from contract.spec.operations import routes
from tests.contract.specs.application import (
    SPECS,
    Exchange,
    Expected,
    Request,
    Service,
    problem,
    refused,
    serving,
)

KEY = ("X-Key", "open")
BEARER = ("Authorization", "Bearer for-ann")
BASIC = ("Authorization", "Basic " + base64.b64encode(b"anna:anna").decode())
FELIX = {"name": "Felix", "tag": "cat", "born": "2020-02-29"}
REX = {"name": "Rex", "tag": "dog"}
PATTERN = ("parameter", "pet_id", "must match the pattern ^[a-z][a-z0-9-]*$")
NOT_A_TAG = "must be one of: cat, dog, snake"
NO_TOKEN = problem(401, "No authorization token provided")

STORY = [
    Exchange(
        "the store is empty", Request("GET", "/store/v2/pets", [KEY]), Expected(200, b"[]\n", headers={"X-Total": "0"})
    ),
    Exchange(
        "a pet comes",
        Request("PUT", "/store/v2/pets/felix", [BEARER], FELIX | {"pin": "1234"}),
        Expected(201, {"id": "felix"} | FELIX, headers={"Location": "/store/v2/pets/felix#ann"}),
    ),
    Exchange(
        "another comes by another scheme",
        Request("PUT", "/store/v2/pets/rex", [BASIC], REX),
        Expected(201, {"id": "rex"} | REX, headers={"Location": "/store/v2/pets/rex#anna"}),
    ),
    Exchange(
        "a pet is replaced",
        Request("PUT", "/store/v2/pets/rex", [BASIC], REX | {"name": "King"}),
        Expected(200, {"id": "rex", "name": "King", "tag": "dog"}),
    ),
    Exchange(
        "a pet without credentials", Request("GET", "/store/v2/pets/felix"), Expected(200, {"id": "felix"} | FELIX)
    ),
    Exchange(
        "one kind is listed",
        Request("GET", "/store/v2/pets?tag=cat", [KEY]),
        Expected(200, [{"id": "felix"} | FELIX], headers={"X-Total": "1"}),
    ),
    Exchange(
        "a page is listed",
        Request("GET", "/store/v2/pets?limit=1", [KEY]),
        Expected(200, [{"id": "felix"} | FELIX], headers={"X-Total": "2"}),
    ),
    Exchange("a pet goes", Request("DELETE", "/store/v2/pets/felix", [KEY, BEARER]), Expected(204)),
    Exchange(
        "a pet is gone",
        Request("GET", "/store/v2/pets/felix"),
        problem(404, "There is no pet felix."),
    ),
]
SECURITY = [
    Exchange("no key", Request("GET", "/store/v2/pets"), NO_TOKEN),
    Exchange(
        "a wrong key",
        Request("GET", "/store/v2/pets", [("X-Key", "shut")]),
        problem(401, "Provided apikey is not valid"),
    ),
    Exchange(
        "security comes before validation",
        Request("GET", "/store/v2/pets?limit=x"),
        NO_TOKEN,
    ),
    Exchange("no credentials for a write", Request("PUT", "/store/v2/pets/rex", body=REX), NO_TOKEN),
    Exchange(
        "a wrong password",
        Request("PUT", "/store/v2/pets/rex", [("Authorization", "Basic YTpi")], REX),
        problem(401, "Provided authorization is not valid"),
    ),
    Exchange(
        "not base64",
        Request("PUT", "/store/v2/pets/rex", [("Authorization", "Basic !")], REX),
        problem(401, "Invalid authorization header"),
    ),
    Exchange(
        "a scheme without credentials",
        Request("PUT", "/store/v2/pets/rex", [("Authorization", "Bearer")], REX),
        problem(401, "Invalid authorization header"),
    ),
    Exchange(
        "a wrong token",
        Request("PUT", "/store/v2/pets/rex", [("Authorization", "Bearer ann")], REX),
        problem(401, "Provided token is not valid"),
    ),
    Exchange("an unknown scheme", Request("GET", "/store/v2/pets", [("Authorization", "Digest x")]), NO_TOKEN),
    Exchange("one of two schemes", Request("DELETE", "/store/v2/pets/rex", [KEY]), NO_TOKEN),
    Exchange("the other of two", Request("DELETE", "/store/v2/pets/rex", [BEARER]), NO_TOKEN),
    Exchange(
        "two schemes, and a handler that says no",
        Request("DELETE", "/store/v2/pets/rex", [KEY, ("Authorization", "Bearer for-bob")]),
        problem(403, "Not with ['bearer', 'key']."),
    ),
    Exchange("optional security, used", Request("GET", "/store/v2/visit", [BEARER]), Expected(200, {"user": "ann"})),
    Exchange("optional security, not used", Request("GET", "/store/v2/visit"), Expected(200, {"user": None})),
    Exchange(
        "a key in a cookie",
        Request("GET", "/store/v2/biscuits", [("Cookie", "biscuit=open")]),
        Expected(200, {"user": "keeper"}),
    ),
    Exchange(
        "a wrong key in a cookie",
        Request("GET", "/store/v2/biscuits", [("Cookie", "biscuit=no")]),
        problem(401, "Provided apikey is not valid"),
    ),
    Exchange("a key in the query", Request("GET", "/store/v2/tickets?ticket=open"), Expected(200, {"user": "keeper"})),
]
REFUSALS = [
    Exchange(
        "a limit that is none",
        Request("GET", "/store/v2/pets?limit=0&tag=cow", [KEY]),
        refused(("parameter", "limit", "must be at least 1"), ("parameter", "tag", NOT_A_TAG)),
    ),
    Exchange("a path that is none", Request("GET", "/store/v2/pets/FELIX"), refused(PATTERN)),
    Exchange(
        "all at once",
        Request("PUT", "/store/v2/pets/9?x=1", [BEARER], {"name": "", "tag": "cow", "born": "2021-02-29", "age": 3}),
        refused(
            PATTERN,
            ("parameter", "x", "is not allowed here; allowed parameters: none"),
            ("pointer", "/age", "is not allowed here; allowed properties: born, id, name, pin, tag"),
            ("pointer", "/born", "must be a valid date"),
            ("pointer", "/name", "must have at least 1 character; it has 0"),
            ("pointer", "/tag", NOT_A_TAG),
        ),
    ),
    Exchange(
        "no body",
        Request("PUT", "/store/v2/pets/rex", [BEARER]),
        refused(("pointer", "", "is required")),
    ),
    Exchange(
        "not a method",
        Request("POST", "/store/v2/pets/rex", [BEARER]),
        Expected(
            405,
            problem(405, "POST is not allowed here; allowed methods: DELETE, GET, HEAD, OPTIONS, PUT.").body,
            "application/problem+json",
            {"Allow": "DELETE, GET, HEAD, OPTIONS, PUT"},
        ),
    ),
    Exchange(
        "not its media type",
        Request("PUT", "/store/v2/pets/rex", [BEARER, ("Content-Type", "text/plain")], b"x"),
        Expected(
            415,
            problem(
                415,
                "Content-Type must be application/json, with charset UTF-8 or none; it is text/plain.",
            ).body,
            "application/problem+json",
            {"Accept": "application/json"},
        ),
    ),
    Exchange(
        "the methods", Request("OPTIONS", "/store/v2/pets"), Expected(204, headers={"Allow": "GET, HEAD, OPTIONS"})
    ),
]


@pytest.fixture(scope="module")
def store() -> Iterator[Service]:
    """The pet store, served."""
    with serving("pets") as started:
        yield started


@pytest.fixture
def service(store: Service) -> Service:
    """The pet store, empty."""
    store.client.app.app.extensions.pop("store", None)  # type: ignore[attr-defined]
    return store


def test_a_story(service: Service) -> None:
    """Pets come and go."""
    for exchange in STORY:
        exchange.expected.check(exchange.request.put_to(service))


@pytest.mark.parametrize("exchange", SECURITY + REFUSALS, ids=str)
def test_a_response(service: Service, exchange: Exchange) -> None:
    """Whole."""
    exchange.expected.check(exchange.request.put_to(service))


def test_every_operation_is_asked() -> None:
    """By this file's exchanges, with a successful response at least once."""
    asked = {
        (exchange.request.method, exchange.request.path.partition("?")[0])
        for exchange in STORY + SECURITY
        if exchange.expected.status < 300
    }
    found = routes(load_contract(SPECS / "pets.yaml"), "/store/v2")
    reached = {
        operation.operation_id
        for route in found
        for method, operation in route.operations.items()
        if any(method == asked_method and re.fullmatch(route.pattern, path) for asked_method, path in asked)
    }
    assert reached == {operation.operation_id for route in found for operation in route.operations.values()}

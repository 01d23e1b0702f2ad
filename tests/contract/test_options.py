"""Connexion's option `pythonic_params` names the handlers' arguments in Python's way."""

from collections.abc import Iterator

import pytest
from openapi_spec_validator import validate

from contract import ContractError
from contract.connexion_internals import argument_name
from tests.contract.specs.application import (
    SPECS,
    Expected,
    Request,
    Service,
    build,
    load,
    refused,
    serving,
)

HANDLERS = "tests.contract.specs.pythonic_handlers"
NOTHING = {
    "item_id": 7,
    "node_id": "n",
    "page_size": 20,
    "format_": "wide",
    "filter_": None,
    "class_": None,
    "half_open": None,
    "sort_keys_first_one": None,
    "x_request_kind": None,
    "id_": None,
}
PARAMETERS = "class, filter, half-open, pageSize, sortKeys[firstOne]"
QUERY = "?pageSize=3&filter=f&class=c&half-open=true&sortKeys%5BfirstOne%5D=a&sortKeys%5BfirstOne%5D=b"
HEADERS = (("X-Request-Kind", "k"), ("Format", "narrow"), ("Cookie", "id=9"))
GIVEN = {
    "item_id": 7,
    "node_id": "n",
    "page_size": 3,
    "filter_": "f",
    "class_": "c",
    "half_open": True,
    "sort_keys_first_one": ["a", "b"],
    "x_request_kind": "k",
    "format_": "narrow",
    "id_": 9,
}


@pytest.fixture(scope="module")
def pythonic() -> Iterator[Service]:
    """The pythonic contract, served with the option."""
    with serving("pythonic", connexion_options={"pythonic_params": True}) as started:
        yield started


def test_the_spec_is_one() -> None:
    """OpenAPI 3.0.3."""
    validate(load("pythonic"))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (Request("GET", "/items/7/n"), Expected(200, NOTHING)),
        (Request("GET", f"/items/7/n{QUERY}", HEADERS), Expected(200, GIVEN)),
        (Request("GET", f"/all/7/n{QUERY}", HEADERS), Expected(200, GIVEN)),
        (
            Request("GET", "/all/7/n"),
            Expected(200, {"item_id": 7, "node_id": "n", "page_size": 20, "format_": "wide"}),
        ),
        (
            Request("POST", "/items/7/n", body={"fooBar": 1}),
            Expected(200, NOTHING | {"new_item": {"fooBar": 1}}),
        ),
        (
            Request("GET", "/items/x/n?page_size=1&pageSize=x"),
            refused(
                ("parameter", "itemId", "must be an integer"),
                ("parameter", "pageSize", "must be an integer"),
                ("parameter", "page_size", f"is not allowed here; allowed parameters: {PARAMETERS}"),
            ),
        ),
    ],
    ids=["defaults", "all", "any arguments", "any arguments' defaults", "a body", "violations"],
)
def test_handlers_have_pythons_names_and_clients_the_contracts(
    pythonic: Service, request_: Request, expected: Expected
) -> None:
    """In arguments and in violations."""
    expected.check(request_.put_to(pythonic))


def test_the_handlers_must_have_the_names_of_the_option() -> None:
    """Without it, the contract has other names for them."""
    with pytest.raises(ContractError, match=r"get_named has the parameter item_id, .*\n.*\n.* write `itemId`"):
        build(SPECS / "pythonic.yaml", HANDLERS)


@pytest.mark.parametrize(
    ("name", "location", "plain", "pythonic"),
    [
        ("itemId", "path", "itemId", "item_id"),
        ("node-id", "path", "node_id", "node_id"),
        ("half-open", "query", "halfopen", "half_open"),
        ("filter", "query", "filter", "filter_"),
        ("X-HTTPKind", "header", "x_httpkind", "x_httpkind"),
        ("id", "cookie", "id", "id_"),
        ("new-item", "body", "newitem", "new_item"),
    ],
)
def test_the_name_of_an_argument(name: str, location: str, plain: str, pythonic: str) -> None:
    """With the option and without."""
    assert (argument_name(name, location), argument_name(name, location, pythonic=True)) == (plain, pythonic)

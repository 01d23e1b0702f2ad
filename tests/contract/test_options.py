"""Connexion's options `pythonic_params` and `uri_parser_class` mean the same in both pipelines."""

from collections.abc import Iterator
from typing import Any

import pytest
from connexion.uri_parsing import OpenAPIURIParser
from openapi_spec_validator import validate

from contract import handlers as contract_handlers
from contract.handlers import ContractError
from contract.parameters import argument

pytest.register_assert_rewrite("tests.contract.specs.application")
from tests.contract.specs.application import (  # noqa: E402  # after the line that makes its assertions speak
    PIPELINES,
    Reply,
    Request,
    Service,
    essence,
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
def pythonic() -> Iterator[dict[str, Service]]:
    """The pythonic spec on both pipelines."""
    with (
        serving("pythonic", "compiled", pythonic_params=True) as compiled,
        serving("pythonic", "stock", pythonic_params=True) as stock,
    ):
        yield {"compiled": compiled, "stock": stock}


def test_the_spec_is_one() -> None:
    """OpenAPI 3.0.3."""
    validate(load("pythonic"))


def test_every_operation_is_compiled(pythonic: dict[str, Service]) -> None:
    """Other names are no reason not to."""
    assert pythonic["compiled"].said == []


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (Request("GET", "/items/7/n"), Reply(200, NOTHING)),
        (Request("GET", f"/items/7/n{QUERY}", HEADERS), Reply(200, GIVEN)),
        (Request("GET", f"/all/7/n{QUERY}", HEADERS), Reply(200, GIVEN)),
        (
            Request("GET", "/all/7/n"),
            Reply(200, {"item_id": 7, "node_id": "n", "page_size": 20, "format_": "wide"}),
        ),
        (
            Request("POST", "/items/7/n", body={"fooBar": 1}),
            Reply(200, NOTHING | {"new_item": {"fooBar": 1}}),
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
    pythonic: dict[str, Service], request_: Request, reply: Reply
) -> None:
    """The same in both pipelines, to the byte."""
    compiled, stock = (request_.put_to(pythonic[pipeline]) for pipeline in PIPELINES)
    reply.check(compiled)
    reply.check(stock)
    assert essence(compiled) == essence(stock)


def test_the_handlers_are_held_against_these_names() -> None:
    """With the option; without it, the spec has other names for them."""
    contract_handlers.check(load("pythonic"), HANDLERS, pythonic=True)
    with pytest.raises(ContractError, match="the spec has the parameter itemId, the handler has not"):
        contract_handlers.check(load("pythonic"), HANDLERS)


@pytest.mark.parametrize(
    ("name", "place", "plain", "pythonic"),
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
def test_the_name_of_an_argument(name: str, place: str, plain: str, pythonic: str) -> None:
    """With the option and without."""
    assert (argument(name, place), argument(name, place, pythonic=True)) == (plain, pythonic)


class FirstValueParser(OpenAPIURIParser):  # type: ignore[misc]  # Connexion has no types
    """Takes the first of several values."""

    def resolve_query(self, query_data: dict[str, list[str]]) -> Any:
        """Called by Connexion with all that was given."""
        return super().resolve_query({name: values[:1] for name, values in query_data.items()})


@pytest.fixture(scope="module")
def parsed() -> Iterator[dict[str, Service]]:
    """The nasty spec on both pipelines, with a parser of its own."""
    with (
        serving("nasty", "compiled", uri_parser_class=FirstValueParser) as compiled,
        serving("nasty", "stock", uri_parser_class=FirstValueParser) as stock,
    ):
        yield {"compiled": compiled, "stock": stock}


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_another_parser_reads_the_parameters(parsed: dict[str, Service], pipeline: str) -> None:
    """Of path and query; they are judged as ever."""
    answer = Request("GET", "/any-arguments?size=3&size=4&word=a&word=b").put_to(parsed[pipeline])
    Reply(200, {"size": 3, "word": "a"}).check(answer)
    answer = Request("GET", "/any-arguments?size=x&size=4&y=").put_to(parsed[pipeline])
    refused(
        ("parameter", "size", "must be an integer"),
        ("parameter", "y", "is not allowed here; allowed parameters: size, word"),
    ).check(answer)


def test_what_another_parser_reads_is_left_to_connexion(parsed: dict[str, Service]) -> None:
    """The log says so; what has no parameter in path or query is compiled all the same."""
    said = parsed["compiled"].said
    reason = "its parameters are for FirstValueParser to read (uri_parser_class)"
    assert f"get_any is served by Connexion: {reason}" in said
    assert f"get_file is served by Connexion: {reason}" in said
    assert not any(line.startswith(("post_thing ", "get_cookie ", "get_index ")) for line in said)

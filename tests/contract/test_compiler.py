"""What cannot be compiled stops the start with one message that lists every such operation and its reason."""

from collections.abc import Callable
from typing import Any

import pytest

from contract import ContractError
from tests.contract.conftest import Serve, document
from tests.contract.specs.application import build

OPERATION = """
paths:
  /a:
    get:
      tags: [things]
      operationId: get_a
      parameters: [{name: p, in: query, %s}]
      responses: {"200": {description: A., content: {application/json: {schema: %s}}}}
  /b:
    post:
      tags: [things]
      operationId: post_b
      requestBody: {content: {application/json: {schema: %s}}}
      responses: {"200": {description: B.}}
  /c: {get: {tags: [things], operationId: get_c, responses: {"200": {description: C.}}}}
"""
SOURCE = """
def get_a(p=None): return {}
def post_b(body=None): return {}
def get_c(): return {}
"""
GOOD = ("schema: {type: string}", "{}", "{}")


def _message(handlers: Callable[[str], str], *parts: str) -> str:
    with pytest.raises(ContractError) as caught:
        build(document(OPERATION % parts), handlers(SOURCE))
    return str(caught.value)


def test_every_such_operation_is_listed(handlers: Callable[[str], str]) -> None:
    """With its reason, and the two ways out."""
    message = _message(
        handlers,
        "schema: {$ref: '#/components/schemas/None'}",
        "{}",
        "{type: object, properties: {x: {type: array, items: {$ref: '#/components/schemas/Gone'}}}}",
    )
    title, *lines = message.splitlines()
    assert title == (
        "These operations cannot be compiled; fix the contract, or leave an operation to plain Connexion with "
        "x-pipeline: connexion:"
    )
    assert lines[0] == "  - get_a (GET /a): the reference #/components/schemas/None leads nowhere"
    assert lines[1:] == ["  - post_b (POST /b): the reference #/components/schemas/Gone leads nowhere"]


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        (
            "style: form, explode: true, schema: {type: object, additionalProperties: {type: string}}",
            "parameter p is an exploded object with any properties: nothing tells them apart",
        ),
        ("schema: {$ref: 'other.yaml#/X'}", "the reference other.yaml#/X leads out of the contract's folder"),
        ("schema: {$ref: '#/paths/~1a/get/parameters/0/schema'}", None),
    ],
)
def test_a_reason_names_what_is_wrong(handlers: Callable[[str], str], parameter: str, reason: str | None) -> None:
    """In the words of OpenAPI."""
    message = _message(handlers, parameter, *GOOD[1:])
    expected = reason or "the reference #/paths/~1a/get/parameters/0/schema leads back to itself"
    assert f"  - get_a (GET /a): {expected}" in message


def test_any_exception_while_compiling_counts(handlers: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The start names the operation, whatever went wrong."""

    def fail(*_arguments: Any, **_options: Any) -> Any:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("contract.serving.compiler.Encoder", fail)
    message = _message(handlers, *GOOD)
    assert "  - get_c (GET /c): ZeroDivisionError: by zero" in message
    assert message.count("\n  - ") == 3


def test_an_operation_that_asks_for_connexion_does_not_stop_the_start(serve: Serve) -> None:
    """It is served by Connexion; the others are compiled."""
    text = (OPERATION % GOOD).replace(
        "parameters: [{name: p, in: query, schema: {type: string}}]",
        "x-pipeline: connexion\n      parameters: [{name: p, in: query, style: form, schema: "
        "{type: object, additionalProperties: {type: string}}}]",
    )
    client = serve(text, SOURCE)
    assert [client.get(path).status_code for path in ("/a", "/c")] == [200, 200]


def test_a_document_that_is_not_openapi_stops_the_start(handlers: Callable[[str], str]) -> None:
    """With every violation and the JSON Pointer to it."""
    broken = document(OPERATION % GOOD)
    del broken["info"]
    broken["paths"]["/a"]["get"]["tag"] = ["things"]
    with pytest.raises(ContractError) as caught:
        build(broken, handlers(SOURCE))
    title, *lines = str(caught.value).splitlines()
    assert title == "The contract is not a valid OpenAPI 3.0 document:"
    assert any(line.startswith("  - /paths/~1a/get") for line in lines)
    assert any('"info" is a required property' in line for line in lines)


def test_an_operation_id_that_is_there_twice_stops_the_start(handlers: Callable[[str], str]) -> None:
    """It is the name of a handler."""
    twice = document((OPERATION % GOOD).replace("operationId: get_c", "operationId: get_a"))
    with pytest.raises(ContractError, match="has an operationId that another operation has already"):
        build(twice, handlers(SOURCE.replace("def get_c(): return {}", "")))

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


ADVICE = "change the contract, or leave the operation to plain Connexion with `x-pipeline: connexion`"


def test_every_such_operation_is_listed(handlers: Callable[[str], str]) -> None:
    """With its place, its reason, and the two ways out."""
    outside = "{type: object, properties: {x: {type: array, items: {$ref: 'other.yaml#/Gone'}}}}"
    assert _message(handlers, "schema: {$ref: 'other.yaml#/X'}", "{}", outside) == (
        "The contract and the handlers do not fit together:\n"
        "  - /paths/~1a/get: get_a (GET /a) cannot be compiled: "
        f"the reference other.yaml#/X leads out of the contract's folder; {ADVICE}\n"
        "  - /paths/~1b/post: post_b (POST /b) cannot be compiled: "
        f"the reference other.yaml#/Gone leads out of the contract's folder; {ADVICE}"
    )


def test_operations_without_a_handler_are_listed_beside_them(handlers: Callable[[str], str]) -> None:
    """One start is enough to find everything."""
    text = OPERATION % ("schema: {$ref: 'other.yaml#/X'}", *GOOD[1:])
    with pytest.raises(ContractError) as caught:
        build(document(text), handlers(SOURCE.replace("def get_c", "def get_d")))
    missing, surplus, uncompilable = str(caught.value).splitlines()[1:]
    assert "get_c (GET /c) has no handler" in missing
    assert missing.endswith("; did you mean `get_d`?")
    assert "things.get_d is no handler" in surplus
    assert "get_a (GET /a) cannot be compiled" in uncompilable


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        (
            "style: form, explode: true, schema: {type: object, additionalProperties: {type: string}}",
            "parameter p is an exploded object with any properties: nothing tells them apart",
        ),
        ("schema: {$ref: 'other.yaml#/X'}", "the reference other.yaml#/X leads out of the contract's folder"),
    ],
)
def test_a_reason_names_what_is_wrong(handlers: Callable[[str], str], parameter: str, reason: str) -> None:
    """In the words of OpenAPI."""
    message = _message(handlers, parameter, *GOOD[1:])
    assert f"get_a (GET /a) cannot be compiled: {reason}; {ADVICE}" in message


def test_any_exception_while_compiling_counts(handlers: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The start names the operation, whatever went wrong."""

    def fail(*_arguments: Any, **_options: Any) -> Any:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("contract.serving.compiler.Encoder", fail)
    message = _message(handlers, *GOOD)
    assert "  - /paths/~1c/get: get_c (GET /c) cannot be compiled: ZeroDivisionError: by zero" in message
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


def test_a_pipeline_that_does_not_exist_stops_the_start(handlers: Callable[[str], str]) -> None:
    """A typing error does not choose the other one silently."""
    text = (OPERATION % GOOD).replace("operationId: get_a", "operationId: get_a\n      x-pipeline: conexion")
    with pytest.raises(
        ContractError,
        match=r"get_a \(GET /a\) cannot be compiled: x-pipeline is 'conexion'; the only value is 'connexion'",
    ):
        build(document(text), handlers(SOURCE))


def test_a_document_that_is_not_openapi_stops_the_start(handlers: Callable[[str], str]) -> None:
    """With every violation and the JSON Pointer to it."""
    broken = document(OPERATION % GOOD)
    del broken["info"]
    broken["paths"]["/a"]["get"]["tag"] = ["things"]
    with pytest.raises(ContractError) as caught:
        build(broken, handlers(SOURCE))
    assert str(caught.value).splitlines() == [
        "The contract is not a valid OpenAPI 3.0 document:",
        "  - the contract needs the field `info`; add `info: …`",
        "  - /paths/~1a/get/tag: an operation has no field `tag`; did you mean `tags`?",
    ]


def test_an_operation_id_that_is_there_twice_stops_the_start(handlers: Callable[[str], str]) -> None:
    """It is the name of a handler."""
    twice = document((OPERATION % GOOD).replace("operationId: get_c", "operationId: get_a"))
    with pytest.raises(ContractError, match="`get_a` is there twice; the first is at /paths/~1a/get/operationId"):
        build(twice, handlers(SOURCE.replace("def get_c(): return {}", "")))

"""Handler results in every form, with and without enforcement; problems keep all their parts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from connexion.exceptions import ProblemException
from hypothesis import given
from hypothesis import strategies as st
from starlette import responses as starlette
from starlette.background import BackgroundTask

from contract.responses.encoder import ContractViolation, Encoder
from contract.spec.operations import operations
from contract.spec.schemas import Schemas
from tests.contract.conftest import Serve, document
from tests.support import ContractClient

CONTRACT = """
paths:
  /undescribed:
    get: {tags: [things], operationId: get_undescribed, responses: {"200": {description: No content.}}}
  /several:
    get:
      tags: [things]
      operationId: get_several
      responses:
        "200":
          description: Two.
          content: {text/csv: {schema: {type: string}}, application/vnd.x+json: {schema: {type: object}}}
  /failing:
    get:
      tags: [things]
      operationId: get_failing
      responses: {default: {description: Any., content: {application/problem+json: {}}}}
"""
SOURCE = """
from flask import current_app
def get_undescribed(): return current_app.extensions["result"]()
get_several = get_failing = get_undescribed
"""
TASKS: list[str] = []


def _client(serve: Serve, result: Any, **options: Any) -> ContractClient:
    """A client of the contract, whose handlers return what `result` returns."""
    client = serve(CONTRACT, SOURCE, **options)
    client.app.app.extensions["result"] = result  # type: ignore[attr-defined]
    return client


@pytest.mark.parametrize("enforce", [True, False])
@pytest.mark.parametrize(
    ("result", "content_type", "body"),
    [
        ({"a": 1}, "application/json", b'{"a":1}\n'),
        ([1], "application/json", b"[1]\n"),
        ("text", "text/plain; charset=utf-8", b"text"),
        (b"\0", "application/octet-stream", b"\0"),
        ((b"x", 200, {"Content-Type": "image/png"}), "image/png", b"x"),
    ],
)
def test_a_response_without_content_is_not_validated(
    serve: Serve,
    result: Any,
    content_type: str,
    body: bytes,
    enforce: bool,  # noqa: FBT001
) -> None:
    """The contract says nothing about its body: the handler's is sent."""
    answer = _client(serve, lambda: result, enforce=enforce).get("/undescribed")
    assert (answer.status_code, answer.headers.get("Content-Type"), answer.content) == (200, content_type, body)


def test_a_document_of_several_media_types_is_json_where_nothing_is_enforced(serve: Serve) -> None:
    """Not Python's notation; with enforcement, it is a 500 as the handler named no media type."""
    assert _client(serve, lambda: {"a": 1}).get("/several").status_code == 500
    answer = _client(serve, lambda: {"a": 1}, enforce=False).get("/several")
    assert (answer.headers["Content-Type"], answer.content) == ("application/vnd.x+json", b'{"a":1}\n')


async def _pieces() -> AsyncIterator[bytes]:
    for piece in (b"a", b"b"):
        await asyncio.sleep(0)
        yield piece


@pytest.mark.parametrize(
    ("make", "content_type", "body"),
    [
        (lambda: starlette.JSONResponse({"a": 1}), "application/json", b'{"a":1}'),
        (lambda: starlette.PlainTextResponse("x"), "text/plain; charset=utf-8", b"x"),
        (lambda: starlette.StreamingResponse(_pieces(), media_type="text/csv"), "text/csv; charset=utf-8", b"ab"),
        (
            lambda: starlette.FileResponse(__file__, media_type="text/x"),
            "text/x; charset=utf-8",
            Path(__file__).read_bytes(),
        ),
        (
            lambda: starlette.Response(b"x", media_type="x/y", background=BackgroundTask(TASKS.append, "done")),
            "x/y",
            b"x",
        ),
    ],
)
def test_a_starlette_response_is_sent(serve: Serve, make: Any, content_type: str, body: bytes) -> None:
    """Whole, in pieces, from a file; its background task runs afterwards."""
    TASKS.clear()
    answer = _client(serve, make).get("/undescribed")
    assert (answer.status_code, answer.headers["Content-Type"], answer.content) == (200, content_type, body)
    assert (["done"] if content_type == "x/y" else []) == TASKS


def test_connexions_problem_keeps_all_its_parts(serve: Serve) -> None:
    """Type, title, instance, extensions and headers (RFC 9457 §3)."""

    def fail() -> Any:
        raise ProblemException(
            status=503,
            title="Closed",
            detail="On Sundays.",
            type="/errors/closed",
            instance="/days/7",
            headers={"Retry-After": "9"},
            ext={"day": 7},
        )

    answer = _client(serve, fail).get("/failing")
    assert answer.json() == {
        "type": "/errors/closed",
        "title": "Closed",
        "status": 503,
        "detail": "On Sundays.",
        "instance": "/days/7",
        "day": 7,
    }
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "9")


ENCODED = """
paths:
  /x:
    get:
      operationId: get_x
      responses:
        "200":
          description: X.
          headers: {X-Count: {required: true, schema: {type: integer}}, X-Word: {schema: {type: string, maxLength: 3}}}
          content:
            application/json:
              schema: {type: object, required: [a], properties: {a: {type: integer, nullable: true}}}
        "204": {description: None.}
"""
DATA = st.one_of(
    st.none(),
    st.fixed_dictionaries({"a": st.one_of(st.none(), st.integers(-(2**70), 2**70), st.text(max_size=2), st.floats())}),
    st.dictionaries(st.sampled_from(["a", "b", 1]), st.integers(), max_size=2),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=2),
)
HEADERS = st.dictionaries(
    st.sampled_from(["X-Count", "X-Word", "x-count", "X-Other", "Content-Type", "Content-Length"]),
    st.one_of(st.sampled_from(["1", "x", "abcd", "é", "a\n", "application/json", ""]), st.integers(0, 9)),
    max_size=3,
)


@given(data=DATA, status=st.sampled_from([200, 200, 204, 299]), headers=HEADERS)
def test_the_fast_path_encodes_as_the_slow_one(data: Any, status: int, headers: dict[str, Any]) -> None:
    """What `encode_usual` returns, `encode_any` returns as well."""
    contract = document(ENCODED)
    (operation,) = operations(contract, "/x")
    encoder = Encoder(operation, contract, Schemas(contract, response=True), enforce=True)
    documented = encoder.documented(status)
    usual = documented.encode_usual(data, status, dict(headers)) if documented is not None else None
    if usual is not None:
        response = encoder.encode_any((data, status, dict(headers)))
        assert (response.status, response.body) == (usual.status, usual.body)
        assert sorted(response.headers) == sorted(usual.headers)
    else:
        with suppress(ContractViolation, UnicodeEncodeError):
            encoder.encode_any((data, status, dict(headers)))

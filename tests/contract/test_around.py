"""Code around operations: the supported way to audit, to add a header, to respond in the handler's place."""

from typing import Any

import pytest

from contract import Interceptor, Proceed, Request
from contract.responses.response import Response
from contract.spec.operations import Operation
from tests.contract.conftest import Serve
from tests.support import assert_problem

CONTRACT = """
paths:
  /x/{id}:
    get:
      tags: [things]
      operationId: get_x
      x-audit: true
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: X., content: {application/json: {}}}}
  /y:
    get: {tags: [things], operationId: get_y, responses: {"200": {description: Y., content: {application/json: {}}}}}
"""
SOURCE = """
def get_x(id):
    if id == 0:
        raise LookupError("nothing")
    return {"id": id}
def get_y(): return {}
"""


def test_it_sees_every_response_and_can_add_headers(serve: Serve) -> None:
    """Successes, violations and unexpected errors alike, with the arguments where they are known."""
    seen: list[Any] = []

    async def audit(request: Request, proceed: Proceed) -> Response:
        response = await proceed(request)
        seen.append((request.header("User-Agent"), request.arguments, response.status))
        response.headers.append((b"x-audited", b"yes"))
        return response

    client = serve(CONTRACT, SOURCE, around=[lambda _operation: audit])
    for path in ("/x/7", "/x/seven", "/x/0"):
        assert client.get(path, headers={"User-Agent": "u"}).headers["X-Audited"] == "yes"
    assert seen == [("u", {"id": 7}, 200), ("u", {}, 400), ("u", {"id": 0}, 500)]


def test_it_is_chosen_once_for_each_operation(serve: Serve) -> None:
    """By what the contract declares; where it returns None, nothing is in the way."""
    asked: list[str] = []

    async def audit(request: Request, proceed: Proceed) -> Response:
        response = await proceed(request)
        response.headers.append((b"x-audited", b"yes"))
        return response

    def declared(operation: Operation) -> Interceptor | None:
        asked.append(operation.operation_id)
        return audit if operation.definition.get("x-audit") else None

    client = serve(CONTRACT, SOURCE, around=[declared])
    assert ["X-Audited" in client.get(path).headers for path in ("/x/7", "/y", "/x/7")] == [True, False, True]
    assert asked == ["get_y", "get_x"]


def test_it_can_respond_itself(serve: Serve) -> None:
    """The handler is not called then."""

    async def closed(_request: Request, _proceed: Proceed) -> Response:
        return Response(200, [(b"content-type", b"application/json")], b'{"closed":true}')

    assert serve(CONTRACT, SOURCE, around=[lambda _operation: closed]).get("/x/0").json() == {"closed": True}


def test_the_first_is_outermost(serve: Serve) -> None:
    """As in the list."""
    order: list[str] = []

    def named(name: str) -> Any:
        async def interceptor(request: Request, proceed: Proceed) -> Response:
            order.append(name)
            return await proceed(request)

        return lambda _operation: interceptor

    serve(CONTRACT, SOURCE, around=[named("first"), named("second")]).get("/y")
    assert order == ["first", "second"]


@pytest.mark.parametrize("path", ["/x/7", "/y"])
def test_an_error_in_it_is_a_500(serve: Serve, path: str) -> None:
    """As in a handler."""

    async def broken(_request: Request, _proceed: Proceed) -> Response:
        raise LookupError

    answer = serve(CONTRACT, SOURCE, around=[lambda _operation: broken]).get(path, headers={"X-Request-Id": "r"})
    detail = "Something went wrong on our side. Quote the request id when you report it."
    assert_problem(answer, 500, detail, request_id="r")

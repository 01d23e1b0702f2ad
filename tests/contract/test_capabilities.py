"""Capabilities: code around the handler of every operation that declares its header."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from contract import Call, ContractError, Request
from contract.problems import Problem
from contract.responses.response import Response
from tests.contract.conftest import Serve
from tests.support import assert_problem

CONTRACT = """
paths:
  /x/{id}:
    put:
      tags: [things]
      operationId: put_x
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
        - {name: X-Tries, in: header, schema: {type: integer, minimum: 1}}
      responses:
        "200": {description: X., content: {application/json: {schema: {type: object}}}}
        default: {description: An error., content: {application/problem+json: {}}}
    get:
      tags: [things]
      operationId: get_x
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: X., content: {application/json: {schema: {type: object}}}}}
"""
SOURCE = """
from contract.problems import Problem
def put_x(id):
    if id == 0:
        raise Problem(404, "There is no x.")
    return {"id": id}
def get_x(id):
    return {"id": id}
"""


@dataclass
class Recorder:
    """A capability that records what it sees."""

    header: str | None = "x-tries"
    seen: list[Any] = field(default_factory=list)

    def respond(self, value: Any, request: Request, call: Call) -> Response:
        """Record the value, and the response or the problem."""
        try:
            response = call()
        except Problem as problem:
            self.seen.append((value, request.arguments["id"], problem.status))
            raise
        self.seen.append((value, request.arguments["id"], response.status))
        if value is not None:
            response.headers.append((b"x-tried", b"%d" % value))
        return response


def test_it_runs_for_requests_with_its_header(serve: Serve) -> None:
    """With the decoded value, around the handler, which does not take the header."""
    recorder = Recorder()
    client = serve(CONTRACT, SOURCE, capabilities=[recorder])
    response = client.put("/x/7", headers={"X-Tries": "3"})
    assert (response.json(), response.headers["X-Tried"]) == ({"id": 7}, "3")
    assert "X-Tried" not in client.put("/x/7").headers
    assert recorder.seen == [(3, 7, 200)]


def test_operations_without_the_header_do_not_have_it(serve: Serve) -> None:
    """The header is ignored there, like every header that the contract does not have."""
    recorder = Recorder()
    assert serve(CONTRACT, SOURCE, capabilities=[recorder]).get("/x/7", headers={"X-Tries": "3"}).json() == {"id": 7}
    assert recorder.seen == []


def test_it_sees_problems_as_exceptions(serve: Serve) -> None:
    """So that what it surrounds the handler with, such as a transaction, sees them too."""
    recorder = Recorder()
    client = serve(CONTRACT, SOURCE, capabilities=[recorder])
    assert_problem(client.put("/x/0", headers={"X-Tries": "3"}), 404, "There is no x.")
    assert recorder.seen == [(3, 0, 404)]


def test_it_does_not_run_for_invalid_requests(serve: Serve) -> None:
    """Neither for an invalid value of its header."""
    recorder = Recorder()
    client = serve(CONTRACT, SOURCE, capabilities=[recorder])
    assert client.put("/x/seven", headers={"X-Tries": "3"}).status_code == 400
    assert client.put("/x/7", headers={"X-Tries": "0"}).status_code == 400
    assert recorder.seen == []


def test_the_first_is_outermost(serve: Serve) -> None:
    """As in the list."""
    order: list[str] = []

    class Named(Recorder):
        def respond(self, value: Any, request: Request, call: Call) -> Response:
            order.append(f"{self.seen[0]} begins")
            response = super().respond(value, request, call)
            order.append(f"{self.seen[0]} ends")
            return response

    client = serve(CONTRACT, SOURCE, capabilities=[Named(seen=["outer"]), Named(seen=["inner"])])
    client.put("/x/7", headers={"X-Tries": "3"})
    assert order == ["outer begins", "inner begins", "inner ends", "outer ends"]


def test_without_a_header_it_runs_for_every_request_that_is_not_safe(serve: Serve) -> None:
    """RFC 9110 §9.2.1: GET is safe. It keeps its place in the order."""
    always, asked = Recorder(header=None), Recorder()
    client = serve(CONTRACT, SOURCE, capabilities=[asked, always])
    client.get("/x/7")
    client.put("/x/7")
    client.put("/x/8", headers={"X-Tries": "3"})
    assert (always.seen, asked.seen) == ([(None, 7, 200), (None, 8, 200)], [(3, 8, 200)])


def test_without_a_header_it_cannot_be_skipped_either(serve: Serve) -> None:
    """A coroutine and plain Connexion stop the start."""
    source = SOURCE.replace("def put_x", "async def put_x")
    with pytest.raises(ContractError, match=r"the capability Recorder needs a plain one"):
        serve(CONTRACT, source, capabilities=[Recorder(header=None)])
    contract = CONTRACT.replace("operationId: put_x", "operationId: put_x\n      x-pipeline: connexion")
    with pytest.raises(ContractError, match=r"plain Connexion does not run the capability Recorder"):
        serve(contract, SOURCE, capabilities=[Recorder(header=None)])


def test_it_needs_a_plain_handler(serve: Serve) -> None:
    """A coroutine would run after the code around it: this stops the start."""
    source = SOURCE.replace("def put_x", "async def put_x")
    with pytest.raises(
        ContractError, match=r"its handler is a coroutine function, and the capability X-Tries needs a plain one"
    ):
        serve(CONTRACT, source, capabilities=[Recorder(header="X-Tries")])


def test_it_does_not_run_in_plain_connexion(serve: Serve) -> None:
    """Nothing is skipped silently: this stops the start, too."""
    contract = CONTRACT.replace("operationId: put_x", "operationId: put_x\n      x-pipeline: connexion")
    with pytest.raises(ContractError, match=r"plain Connexion does not run the capability X-Tries"):
        serve(contract, SOURCE, capabilities=[Recorder(header="X-Tries")])


def test_the_handler_takes_the_header_without_the_capability(serve: Serve) -> None:
    """A header that no capability reads is a parameter like any other."""
    with pytest.raises(ContractError, match=r"put_x has no parameter x_tries"):
        serve(CONTRACT, SOURCE)

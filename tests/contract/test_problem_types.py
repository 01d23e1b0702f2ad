"""The types of problems: URLs of pages below the prefix of the request, added when a response is sent."""

import json
from pathlib import Path
from typing import Any

import pytest
from connexion import FlaskApp
from starlette.testclient import TestClient

import contract
from contract.problems import Problem
from contract.responses.encoder import problem_response
from contract.responses.response import Response
from contract.serving.problem_types import ProblemTypes

TYPES = {404: "/problems/not-found"}
SPECS = Path(__file__).parent / "specs"


def typed(response: Response, root_path: str = "") -> Any:
    """Return the body of a response after its type was added."""
    ProblemTypes(TYPES).add(response, root_path)
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


def test_a_problem_gets_the_type_of_its_status() -> None:
    """Everything else is the same, byte by byte."""
    problem = Problem(404, "There is no item 7.", extensions={"x": 1})
    expected = problem.body().replace(b'"about:blank"', b'"/problems/not-found"')
    response = problem_response(problem)
    assert typed(response) == json.loads(expected)
    assert response.body == expected


@pytest.mark.parametrize(
    ("root_path", "type_"), [("/shop", "/shop/problems/not-found"), ('/a"b', '/a"b/problems/not-found')]
)
def test_a_type_is_below_the_prefix_of_the_request(root_path: str, type_: str) -> None:
    """In valid JSON, whatever a server has as its `root_path`."""
    assert typed(problem_response(Problem(404, "x")), root_path)["type"] == type_


def test_a_status_without_a_page_keeps_about_blank() -> None:
    """RFC 9457 §4.2.1."""
    assert typed(problem_response(Problem(418, "x")))["type"] == "about:blank"


def test_a_type_of_a_handler_is_kept() -> None:
    """It knows better."""
    assert typed(problem_response(Problem(404, "x", type_="/errors/closed")))["type"] == "/errors/closed"


@pytest.mark.parametrize("body", [b"[]", b'{"type": "about:blank"}', b'{"title":"x","type":"about:blank"}'])
def test_any_other_body_is_unchanged(body: bytes) -> None:
    """Only what a `Problem` writes is changed."""
    response = Response(404, [], body)
    typed(response)
    assert response.body == body


def test_a_stream_is_unchanged() -> None:
    """It is not known what it will have."""
    pieces = iter([b"x"])
    response = Response(404, [], pieces)
    ProblemTypes(TYPES).add(response, "")
    assert response.body is pieces


def test_the_service_adds_them_to_every_problem() -> None:
    """Of an operation, and of a path that the contract does not have; without `problem_types`, to none."""
    for types, expected in ((TYPES, TYPES[404]), (None, "about:blank")):
        application = FlaskApp(__name__)
        contract.install(
            application, SPECS / "pets.yaml", "tests.contract.specs.pets_handlers", enforce=False, problem_types=types
        )
        with TestClient(application) as client:
            for path in ("/nothing", "/pets/77"):
                response = client.get(path)
                assert (response.status_code, response.json()["type"]) == (404, expected), path

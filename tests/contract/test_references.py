"""A spec in several files: what refers to another file is Connexion's, and its answers are judged all the same."""

from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("tests.contract.specs.application")
from tests.contract.specs.application import (  # noqa: E402  # after the line that makes its assertions speak
    PIPELINES,
    build,
    listening,
)
from tests.support import ContractClient  # noqa: E402

OTHER = """
Size: {name: size, in: query, schema: {type: integer}}
Sized: {type: object, properties: {size: {type: integer, nullable: true, maximum: 3}}}
Named: {type: object, required: [kind], properties: {kind: {type: string, maxLength: 1}}}
"""
HANDLERS = "tests.contract.specs.nasty_handlers"
KIND = {"name": "kind", "in": "path", "required": True, "schema": {"type": "string"}}
SIZE = {"name": "size", "in": "query", "schema": {"type": "integer"}}


@pytest.fixture
def other(tmp_path: Path) -> str:
    """Another file."""
    path = tmp_path / "other.yaml"
    path.write_text(OTHER)
    return str(path)


def _spec(path: str, tag: str, operation_id: str, parameter: Any, schema: Any) -> dict[str, Any]:
    operation = {
        "tags": [tag],
        "operationId": operation_id,
        "parameters": [parameter],
        "responses": {"200": {"description": "It.", "content": {"application/json": {"schema": schema}}}},
    }
    return {"openapi": "3.0.3", "info": {"title": "Referring", "version": "1"}, "paths": {path: {"get": operation}}}


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize(
    ("parameter", "schema"),
    [(SIZE, {"$ref": "#Sized"}), ({"$ref": "#Size"}, {"$ref": "#Sized"}), ({"$ref": "#Size"}, {"type": "object"})],
    ids=["a schema", "both", "a parameter"],
)
def test_a_reference_to_another_file_is_followed(
    other: str, pipeline: str, parameter: dict[str, Any], schema: dict[str, Any]
) -> None:
    """By Connexion; the log says so at start."""
    parameter, schema = (
        {"$ref": part["$ref"].replace("#", f"{other}#/")} if "$ref" in part else part for part in (parameter, schema)
    )
    spec = _spec("/composed", "parameters", "get_composed", parameter, schema)
    with listening("contract.compiled") as said, ContractClient(build(spec, HANDLERS, pipeline)) as client:
        paths = ("/composed?size=3", "/composed?size=x", "/composed")
        assert [client.get(path).status_code for path in paths] == [200, 400, 200]
    assert len(said) == (pipeline == "compiled")
    assert all(f"the reference {other}#/" in line for line in said)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_an_answer_whose_schema_is_in_another_file_is_judged(other: str, pipeline: str) -> None:
    """Its status and its body."""
    schema = {"$ref": f"{other}#/Named"}
    spec = _spec("/answers/{kind}", "answers", "get_answer", KIND, schema)
    with listening("contract.answers") as said, ContractClient(build(spec, HANDLERS, pipeline)) as client:
        paths = [f"/answers/{kind}" for kind in ("data", "jsonify", "status", "wrong")]
        assert [client.get(path).status_code for path in paths] == [200, 200, 500, 500]
    assert said == [
        f"The answers of get_answer are judged by Connexion: the reference {other}#/Named leads out of the file"
    ]

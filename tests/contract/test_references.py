"""A contract in several files of one folder: parameters, bodies, responses and schemas by reference are compiled."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract import ContractError
from contract.spec.loading import load
from tests.contract.specs.application import build
from tests.support import ContractClient

MAIN = """
openapi: 3.0.3
info: {title: Referring, version: "1"}
paths:
  /sized:
    get:
      tags: [things]
      operationId: get_sized
      parameters: [{$ref: "other.yaml#/Size"}]
      responses: {200: {$ref: "./other.yaml#/Response"}}
  /posted: {$ref: "other.yaml#/Path"}
components:
  schemas:
    Local: {type: integer, maximum: 3}
"""
OTHER = """
Size: {name: size, in: query, required: true, schema: {$ref: "#/Small"}}
Small: {$ref: "main.yaml#/components/schemas/Local"}
Sized: {type: object, required: [size], properties: {size: {$ref: "#/Small"}, tree: {$ref: "third.json#/Tree"}}}
Response: {description: Sized., content: {application/json: {schema: {$ref: "#/Sized"}}}}
Body: {required: true, content: {application/json: {schema: {$ref: "#/Sized"}}}}
Path:
  post:
    tags: [things]
    operationId: post_sized
    requestBody: {$ref: "#/Body"}
    responses: {200: {$ref: "#/Response"}}
"""
THIRD = '{"Tree": {"type": "object", "properties": {"child": {"$ref": "#/Tree"}, "n": {"type": "integer"}}}}'
SOURCE = """
def get_sized(size): return {"size": size if size > 0 else "wrong"}
def post_sized(body): return body
"""


@pytest.fixture
def client(tmp_path: Path, handlers: Callable[[str], str]) -> Iterator[ContractClient]:
    """Three files, served."""
    for name, text in {"main.yaml": MAIN, "other.yaml": OTHER, "third.json": THIRD}.items():
        (tmp_path / name).write_text(text)
    with ContractClient(build(tmp_path / "main.yaml", handlers(SOURCE))) as started:
        yield started


@pytest.mark.parametrize(
    ("query", "status"), [("?size=3", 200), ("?size=4", 400), ("?size=x", 400), ("", 400), ("?size=0", 500)]
)
def test_a_parameter_and_a_response_of_another_file_are_validated(
    client: ContractClient, query: str, status: int
) -> None:
    """The parameter's schema leads back to the first file."""
    assert client.get(f"/sized{query}").status_code == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"size": 1, "tree": {"child": {"child": {"n": 1}}}}, 200),
        ({"size": 1, "tree": {"child": {"child": {"n": "x"}}}}, 400),
        ({}, 400),
    ],
)
def test_a_path_and_a_body_of_another_file_are_validated(
    client: ContractClient, body: dict[str, object], status: int
) -> None:
    """Through a third file, whose schema contains itself."""
    response = client.post("/posted", json=body)
    assert response.status_code == status
    if "tree" in body and status == 400:
        assert response.json()["errors"] == [{"pointer": "/tree/child/child/n", "detail": "must be an integer"}]


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """In a sentence."""
    (tmp_path / "main.yaml").write_text(MAIN)
    with pytest.raises(ContractError, match=r"other\.yaml cannot be read: No such file or directory"):
        load(tmp_path / "main.yaml")


def test_an_example_may_hold_what_looks_like_a_reference(tmp_path: Path) -> None:
    """Examples, defaults and enums are values, not schemas; names of properties and responses are names."""
    text = MAIN.partition("paths:")[0] + (
        "paths: {}\n"
        "components:\n"
        "  schemas:\n"
        "    default: {type: object, default: {$ref: missing.yaml}, example: {$ref: missing.yaml}}\n"
        "    Other: {type: object, properties: {default: {$ref: '#/components/schemas/default'}}}\n"
    )
    (tmp_path / "main.yaml").write_text(text)
    schemas = load(tmp_path / "main.yaml")["components"]["schemas"]
    assert schemas["default"]["example"] == {"$ref": "missing.yaml"}
    assert schemas["Other"]["properties"]["default"] == {"$ref": "#/components/schemas/default"}

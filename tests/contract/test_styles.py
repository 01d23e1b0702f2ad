"""Parameters in every style of OpenAPI 3.0: deep objects, JSON, several types, empty values."""

from typing import Any

import pytest

from tests.contract.conftest import Serve
from tests.support import ContractClient, assert_violations

CONTRACT = """
paths:
  /query:
    get:
      tags: [things]
      operationId: get_query
      parameters:
        - name: deep
          in: query
          style: deepObject
          schema: {anyOf: [{$ref: "#/components/schemas/Range"}, {type: integer}]}
        - name: any
          in: query
          schema: {anyOf: [{type: integer, minimum: 10}, {type: boolean}, {type: string, maxLength: 3}]}
        - {name: many, in: query, schema: {anyOf: [{type: integer}, {type: array, items: {type: integer}}]}}
        - {name: json, in: query, content: {application/json: {schema: {$ref: "#/components/schemas/Range"}}}}
        - {name: flag, in: query, allowEmptyValue: true, schema: {type: boolean}}
        - {name: word, in: query, allowEmptyValue: true, schema: {type: string, minLength: 2}}
        - {name: point, in: query, explode: false, schema: {$ref: "#/components/schemas/Point"}}
        - {name: box, in: query, explode: true, schema: {$ref: "#/components/schemas/Box"}}
        - {name: spaced, in: query, style: spaceDelimited, explode: false, schema: {$ref: "#/components/schemas/Many"}}
      responses: &ok {"200": {description: It., content: {application/json: {}}}}
  /path/{point}/{named}:
    get:
      tags: [things]
      operationId: get_path
      parameters:
        - {name: point, in: path, required: true, schema: {$ref: "#/components/schemas/Point"}}
        - {name: named, in: path, required: true, explode: true, schema: {$ref: "#/components/schemas/Point"}}
        - {name: X-Point, in: header, schema: {$ref: "#/components/schemas/Point"}}
      responses: *ok
components:
  schemas:
    Range: {type: object, additionalProperties: false, properties: {gt: {type: integer}, lt: {type: integer}}}
    Box: {type: object, properties: {width: {type: integer}, height: {type: integer}}}
    Many: {type: array, items: {type: integer}}
    Point: {type: object, required: [x], properties: {x: {type: integer}, y: {type: integer}}}
"""
SOURCE = """
def get_query(**given): return given
def get_path(point, named, x_point=None): return {"point": point, "named": named, "x_point": x_point}
"""


@pytest.fixture
def client(serve: Serve) -> ContractClient:
    """The contract, served."""
    return serve(CONTRACT, SOURCE)


@pytest.mark.parametrize(
    ("query", "given"),
    [
        ("deep[gt]=1&deep[lt]=5", {"deep": {"gt": 1, "lt": 5}}),
        ("deep%5Bgt%5D=1", {"deep": {"gt": 1}}),
        ("deep=3", {"deep": 3}),
        ("any=12", {"any": 12}),
        ("any=9", {"any": "9"}),
        ("any=true", {"any": True}),
        ("any=abc", {"any": "abc"}),
        ("many=1&many=2", {"many": [1, 2]}),
        ("many=1", {"many": 1}),
        ('json={"gt":1}', {"json": {"gt": 1}}),
        ("flag=", {"flag": None}),
        ("flag", {"flag": None}),
        ("flag=true", {"flag": True}),
        ("word=", {"word": ""}),
        ("word=ab", {"word": "ab"}),
        ("point=x,1,y,2", {"point": {"x": 1, "y": 2}}),
        ("width=1&height=2", {"box": {"width": 1, "height": 2}}),
        ("spaced=1%202", {"spaced": [1, 2]}),
        ("", {}),
    ],
)
def test_a_parameter_is_decoded(client: ContractClient, query: str, given: dict[str, Any]) -> None:
    """Into a value of its type."""
    assert client.get(f"/query?{query}").json() == given


ALLOWED = "any, box, deep, flag, json, many, point, spaced, word"


@pytest.mark.parametrize(
    ("query", "name", "detail"),
    [
        ("deep[gt]=x", "deep", "matches none of the schemas that are allowed here"),
        ("deep[gt]=1&deep=3", "deep", "is given more than once"),
        ("deep[gt=1", "deep[gt", f"is not allowed here; allowed parameters: {ALLOWED}"),
        ("deeper[gt]=1", "deeper[gt]", f"is not allowed here; allowed parameters: {ALLOWED}"),
        ("any=abcd", "any", "matches none of the schemas that are allowed here"),
        ("json={", "json", "is not JSON: unexpected end of data at line 1, column 2"),
        ('json={"gt":1,"gt":2}', "json", 'has the property "gt" twice in one object'),
        ('json={"gt":"1"}', "json", "element gt must be an integer"),
        ("flag=x", "flag", "must be true or false"),
        ("word=a", "word", "must have at least 2 characters; it has 1"),
        ("point=x", "point", "must be an object"),
        ("point=x,1,x,2", "point", "must be an object"),
        ("point=y,1", "point", "element x is required"),
        ("width=x", "box", "element width must be an integer"),
        ("width=1&width=2", "box", "is given more than once"),
    ],
)
def test_a_violation_names_the_parameter(client: ContractClient, query: str, name: str, detail: str) -> None:
    """And the place in it."""
    assert_violations(client.get(f"/query?{query}"), {"parameter": name, "detail": detail})


def test_objects_in_paths_and_headers(client: ContractClient) -> None:
    """In the style `simple`, exploded and not."""
    response = client.get("/path/x,1,y,2/x=3,y=4", headers={"X-Point": "x,5"})
    assert response.json() == {"point": {"x": 1, "y": 2}, "named": {"x": 3, "y": 4}, "x_point": {"x": 5}}
    assert_violations(
        client.get("/path/x,a/y=4"),
        {"parameter": "named", "detail": "element x is required"},
        {"parameter": "point", "detail": "element x must be an integer"},
    )

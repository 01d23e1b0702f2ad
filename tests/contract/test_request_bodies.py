"""Request bodies of every kind: forms, files, text, bytes, ranges of media types, defaults beside a reference."""

from typing import Any

import pytest

from tests.contract.conftest import Serve
from tests.support import ContractClient, assert_problem, assert_violations

CONTRACT = """
paths:
  /form:
    post:
      tags: [things]
      operationId: post_form
      requestBody:
        required: true
        content:
          application/x-www-form-urlencoded:
            schema:
              type: object
              additionalProperties: false
              required: [name]
              properties:
                name: {type: string, minLength: 1}
                age: {type: integer, nullable: true}
                tags: {type: array, items: {type: string}}
                joined: {type: array, items: {type: integer}}
                filter: {$ref: "#/components/schemas/Filter"}
                document: {type: object}
            encoding:
              joined: {explode: false}
              filter: {style: deepObject, explode: true}
      responses: &ok {"200": {description: It., content: {application/json: {}}}}
  /upload:
    post:
      tags: [things]
      operationId: post_upload
      requestBody:
        content:
          multipart/form-data:
            schema:
              type: object
              required: [title, file]
              properties:
                title: {type: string, maxLength: 5}
                count: {type: integer}
                meta: {type: object, properties: {n: {type: integer}}}
                file: {type: string, format: binary}
                more: {type: array, maxItems: 2, items: {type: string, format: binary}}
      responses: *ok
  /text:
    post:
      tags: [things]
      operationId: post_text
      requestBody: {required: true, content: {text/plain: {schema: {type: string, maxLength: 3}}}}
      responses: *ok
  /bytes:
    post:
      tags: [things]
      operationId: post_bytes
      requestBody:
        required: true
        content: {application/octet-stream: {schema: {type: string, format: binary, maxLength: 3}}}
      responses: *ok
  /any:
    post:
      tags: [things]
      operationId: post_any
      requestBody: {content: {"*/*": {schema: {}}, "image/*": {schema: {type: string, format: binary, maxLength: 2}}}}
      responses: *ok
  /default:
    post:
      tags: [things]
      operationId: post_default
      parameters: [{name: size, in: query, schema: {$ref: "#/components/schemas/Size", default: 7}}]
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Filter", default: {size: 1}}}}}
      responses: *ok
components:
  schemas:
    Size: {type: integer, default: 3}
    Filter:
      type: object
      additionalProperties: false
      properties:
        size: {$ref: "#/components/schemas/Size"}
        names: {type: array, items: {type: string}}
        rows: {type: array, items: {type: object, properties: {n: {type: integer}}}}
        sub: {$ref: "#/components/schemas/Filter"}
"""
SOURCE = """
def post_form(body): return {"body": body}
def post_upload(body=None, file=None, more=()):
    files = [file, *more] if file else list(more)
    return {"body": body, "files": [[f.filename, f.mimetype, f.read().decode("latin-1")] for f in files]}
def post_text(body): return {"body": body}
def post_bytes(body): return {"length": len(body), "type": type(body).__name__}
def post_any(body=None): return {"type": type(body).__name__}
def post_default(size, body=None): return {"size": size, "body": body}
"""
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def client(serve: Serve) -> ContractClient:
    """The contract, served."""
    return serve(CONTRACT, SOURCE)


def _form(client: ContractClient, body: str) -> Any:
    return client.post("/form", content=body.encode(), headers={"Content-Type": FORM})


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ("name=x", {"name": "x"}),
        ("name=a+b%C3%A9&age=3", {"name": "a bé", "age": 3}),
        ("name=x&age=null", {"name": "x", "age": None}),
        ("name=x&tags=a&tags=b", {"name": "x", "tags": ["a", "b"]}),
        ("name=x&tags=a", {"name": "x", "tags": ["a"]}),
        ("name=x&joined=1,2", {"name": "x", "joined": [1, 2]}),
        (
            "name=x&filter[size]=2&filter[names][]=a&filter[names][]=b",
            {"name": "x", "filter": {"size": 2, "names": ["a", "b"]}},
        ),
        ("name=x&filter[names][1]=b&filter[names][0]=a", {"name": "x", "filter": {"names": ["a", "b"]}}),
        ("name=x&filter[rows][0][n]=1&filter[rows][1][n]=2", {"name": "x", "filter": {"rows": [{"n": 1}, {"n": 2}]}}),
        ("name=x&filter[sub][sub][size]=2", {"name": "x", "filter": {"sub": {"sub": {"size": 2}}}}),
        ('name=x&document={"a":[1]}', {"name": "x", "document": {"a": [1]}}),
    ],
)
def test_a_form_has_the_types_of_the_contract(client: ContractClient, body: str, form: dict[str, Any]) -> None:
    """Scalars, arrays in both notations, deep objects, JSON."""
    assert _form(client, body).json() == {"body": form}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ("name=", [("/name", "must have at least 1 character; it has 0")]),
        ("name=x&age=y", [("/age", "must be an integer or null")]),
        ("name=x&name=y", [("/name", "is given more than once")]),
        ("name=x&joined=1,z", [("/joined/1", "must be an integer")]),
        (
            "name=x&filter[size]=z&filter[sub][size]=y",
            [("/filter/size", "must be an integer"), ("/filter/sub/size", "must be an integer")],
        ),
        ("name=x&filter[size]=1&filter[size]=2", [("/filter", "is given more than once")]),
        (
            "name=x&document={",
            [("/document", "is not JSON: unexpected end of data at line 1, column 2")],
        ),
        (
            "more=1",
            [
                ("/more", "is not allowed here; allowed properties: age, document, filter, joined, name, tags"),
                ("/name", "is required"),
            ],
        ),
        ("", [("", "is required")]),
    ],
)
def test_every_violation_of_a_form_is_reported(
    client: ContractClient, body: str, errors: list[tuple[str, str]]
) -> None:
    """By its pointer, as in JSON."""
    assert_violations(_form(client, body), *({"pointer": pointer, "detail": detail} for pointer, detail in errors))


def _upload(client: ContractClient, fields: dict[str, Any], files: list[tuple[str, Any]]) -> Any:
    return client.post("/upload", data=fields, files=files)


def test_files_are_arguments_and_fields_are_the_body(client: ContractClient) -> None:
    """As in Connexion; JSON fields are parsed."""
    response = _upload(
        client,
        {"title": "x", "count": "2", "meta": '{"n": 1}'},
        [("file", ("a.txt", b"\xff", "text/plain")), ("more", ("b", b"1")), ("more", ("c", b"2"))],
    )
    assert response.json() == {
        "body": {"title": "x", "count": 2, "meta": {"n": 1}},
        "files": [
            ["a.txt", "text/plain", "ÿ"],
            ["b", "application/octet-stream", "1"],
            ["c", "application/octet-stream", "2"],
        ],
    }


def test_every_violation_of_a_form_in_parts_is_reported(client: ContractClient) -> None:
    """Files that are missing or too many among them."""
    response = _upload(
        client,
        {"title": "too long", "count": "x", "meta": '{"n": "1"}'},
        [("more", (name, b"")) for name in "abc"],
    )
    assert_violations(
        response,
        {"pointer": "/count", "detail": "must be an integer"},
        {"pointer": "/file", "detail": "is required"},
        {"pointer": "/meta/n", "detail": "must be an integer"},
        {"pointer": "/more", "detail": "must have at most 2 elements; it has 3"},
        {"pointer": "/title", "detail": "must have at most 5 characters; it has 8"},
    )


def test_a_file_twice_is_a_violation(client: ContractClient) -> None:
    """Where the contract has one."""
    response = _upload(client, {"title": "x"}, [("file", ("a", b"1")), ("file", ("b", b"2"))])
    assert_violations(response, {"pointer": "/file", "detail": "is given more than once"})


NAMELESS = b"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--\r\n"


@pytest.mark.parametrize(
    "body",
    [b"", b"--B", b"--B\r\n\r\n", NAMELESS, b"\0" * 100],
    ids=["empty", "begun", "no headers", "no name", "zeros"],
)
def test_what_is_no_form_in_parts_is_no_500(client: ContractClient, body: bytes) -> None:
    """Whatever it is."""
    response = client.post("/upload", content=body, headers={"Content-Type": "multipart/form-data; boundary=B"})
    assert response.status_code in (200, 400)


@pytest.mark.parametrize("content_type", ["text/plain", "text/plain; charset=utf-8", "TEXT/PLAIN;charset=UTF-8"])
def test_text_is_a_string(client: ContractClient, content_type: str) -> None:
    """In UTF-8."""
    response = client.post("/text", content="äöü".encode(), headers={"Content-Type": content_type})
    assert response.json() == {"body": "äöü"}


def test_text_is_validated(client: ContractClient) -> None:
    """By characters; another charset is 415, and what is not UTF-8 is 400."""
    headers = {"Content-Type": "text/plain"}
    detail = "must have at most 3 characters; it has 4"
    assert_violations(client.post("/text", content=b"abcd", headers=headers), {"pointer": "", "detail": detail})
    detail = "is not UTF-8: byte 0 is invalid"
    assert_violations(client.post("/text", content=b"\xff", headers=headers), {"pointer": "", "detail": detail})
    response = client.post("/text", content=b"x", headers={"Content-Type": "text/plain; charset=latin-1"})
    detail = "Content-Type must be text/plain, with charset UTF-8 or none; it is text/plain; charset=latin-1."
    assert_problem(response, 415, detail, headers={"Accept": "text/plain"})


def test_bytes_are_bytes(client: ContractClient) -> None:
    """A limit counts them; without a Content-Type, that is what a body is (RFC 9110 §8.3)."""
    headers = {"Content-Type": "application/octet-stream"}
    assert client.post("/bytes", content=b"\xff\0a", headers=headers).json() == {"length": 3, "type": "bytes"}
    detail = "must have at most 3 characters; it has 4"
    assert_violations(client.post("/bytes", content=b"abcd", headers=headers), {"pointer": "", "detail": detail})
    response = client.exchange("POST", "/bytes", [("Content-Length", b"1")], [b"x"])
    assert response.json() == {"length": 1, "type": "bytes"}


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [("image/png", b"ab", 200), ("image/png", b"abc", 400), ("x/y", b"abc", 200), ("*/*", b"a", 415), ("x", b"a", 415)],
)
def test_a_range_takes_every_media_type_in_it(
    client: ContractClient, content_type: str, body: bytes, status: int
) -> None:
    """The more specific range decides; a range is no media type."""
    assert client.post("/any", content=body, headers={"Content-Type": content_type}).status_code == status


def test_a_default_beside_a_reference_counts(client: ContractClient) -> None:
    """Of a parameter and of a body."""
    assert client.post("/default").json() == {"size": 7, "body": {"size": 1}}
    assert client.post("/default?size=2", json={}).json() == {"size": 2, "body": {}}

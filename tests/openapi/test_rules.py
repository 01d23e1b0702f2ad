"""The spec's own rules: what makes it a contract that people can read and SDKs can be made from."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

from tests.support import PROBLEM, SpecifiedOperation, operations, resolve, schema_errors, specification

Located = tuple[str, Mapping[str, Any]]
each_operation = pytest.mark.parametrize("operation", operations(), ids=str)
COMBINATIONS = ("allOf", "anyOf", "oneOf")


def _schemas(where: str, node: Any) -> Iterator[Located]:
    """Every schema object below `node`, with where it is; references are not followed: they lead to components."""
    if isinstance(node, list):
        for number, part in enumerate(node):
            yield from _schemas(f"{where}/{number}", part)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "schema":
                yield from _subschemas(f"{where}/schema", value)
            elif key != "schemas" and key not in ("example", "examples"):
                yield from _schemas(f"{where}/{key}", value)


def _subschemas(where: str, schema: Mapping[str, Any]) -> Iterator[Located]:
    if "$ref" in schema:
        return
    yield where, schema
    for name, member in schema.get("properties", {}).items():
        yield from _subschemas(f"{where}/properties/{name}", member)
    if "items" in schema:
        yield from _subschemas(f"{where}/items", schema["items"])


def _all_schemas() -> Iterator[Located]:
    for name, schema in specification()["components"]["schemas"].items():
        yield from _subschemas(name, schema)
    yield from _schemas("", specification())


def _described(kind: str) -> Iterator[Located]:
    yield from specification()["components"][kind].items()


def _contents(operation: SpecifiedOperation) -> Iterator[Located]:
    for media_type, content in resolve(operation.definition.get("requestBody", {})).get("content", {}).items():
        yield f"request {media_type}", content
    for status, response in operation.definition["responses"].items():
        for media_type, content in resolve(response).get("content", {}).items():
            yield f"{status} {media_type}", content


def test_the_file_is_valid_openapi_3_0_3() -> None:
    """Connexion, Swagger UI and the generators all read this version."""
    assert specification()["openapi"] == "3.0.3"
    OpenAPIV30SpecValidator(specification()).validate()


@each_operation
def test_an_operation_says_what_it_is(operation: SpecifiedOperation) -> None:
    """operationId, one tag that is declared, a summary that fits a list, and prose."""
    definition = operation.definition
    (tag,) = definition["tags"]
    assert tag in {declared["name"] for declared in specification()["tags"]}
    assert definition["operationId"].isidentifier()
    assert 1 <= len(definition["summary"]) <= 60
    assert definition["description"].strip()


def test_operation_ids_are_unique() -> None:
    """They become the names of functions, here and in every SDK."""
    names = [str(operation) for operation in operations()]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("tag", specification()["tags"], ids=lambda tag: str(tag["name"]))
def test_a_tag_is_described_and_used(tag: dict[str, str]) -> None:
    """Nothing is declared that no operation has."""
    assert tag["description"].strip()
    assert any(tag["name"] in operation.definition["tags"] for operation in operations())


@pytest.mark.parametrize("kind", ["schemas", "parameters", "headers", "responses", "links"])
def test_a_component_is_described(kind: str) -> None:
    """In prose, whatever kind it is."""
    assert [name for name, component in _described(kind) if not component.get("description", "").strip()] == []


def test_every_example_has_a_summary() -> None:
    """Swagger UI shows it in the list to choose from."""
    assert [name for name, example in _described("examples") if not example.get("summary")] == []


def test_every_property_is_described() -> None:
    """In the schema that it refers to, or beside it."""
    found = [
        f"{where}/{name}"
        for where, schema in _all_schemas()
        for name, member in schema.get("properties", {}).items()
        if not resolve(member).get("description")
    ]
    assert found == []


def test_every_component_is_used() -> None:
    """What nothing refers to is not part of the contract."""
    text = str(specification())
    unused = [
        f"{kind}/{name}"
        for kind, components in specification()["components"].items()
        for name in components
        if f"'#/components/{kind}/{name}'" not in text
    ]
    assert unused == []


def _lacks_limits(schema: Mapping[str, Any]) -> bool:
    if "enum" in schema or any(key in schema for key in COMBINATIONS):
        return False
    needed = {
        "string": {"maxLength"},
        "integer": {"minimum", "maximum"},
        "number": {"minimum", "maximum"},
        "array": {"maxItems"},
        "object": {"additionalProperties"},
        "boolean": set[str](),
    }
    return not needed[schema["type"]] <= schema.keys()


def test_every_schema_has_its_limits() -> None:
    """Strings, numbers and arrays end somewhere; objects are closed."""
    assert [where for where, schema in _all_schemas() if _lacks_limits(schema)] == []


def test_every_object_is_closed() -> None:
    """A member that is not in the contract is refused, and never sent."""
    objects = [(where, schema) for where, schema in _all_schemas() if schema.get("type") == "object"]
    assert [where for where, schema in objects if schema["additionalProperties"] is not False] == []


def test_objects_have_names() -> None:
    """Generators would invent names for inline object schemas."""
    named = specification()["components"]["schemas"]
    inline = [
        where
        for where, schema in _all_schemas()
        if where not in named and (schema.get("type") == "object" or "properties" in schema)
    ]
    assert inline == []


def test_every_pattern_says_what_it_asks_for_when_a_client_can_break_it() -> None:
    """People read a sentence, not a regular expression."""
    request_schemas = [
        *(resolve(parameter["schema"]) for _, parameter in _described("parameters")),
        *(specification()["components"]["schemas"][name] for name in ("ItemName", "ItemDescription")),
    ]
    silent = [schema["pattern"] for schema in request_schemas if "pattern" in schema and not _says(schema)]
    assert silent == []


def _says(schema: Mapping[str, Any]) -> bool:
    return str(schema.get("x-pattern-description", "")).startswith("must ")


@pytest.mark.parametrize("kind", ["parameters", "headers"])
def test_every_parameter_and_header_has_an_example_that_it_allows(kind: str) -> None:
    """Swagger UI fills "Try it out" with it."""
    wrong = {name: schema_errors(component["schema"], component.get("example")) for name, component in _described(kind)}
    assert {name: errors for name, errors in wrong.items() if errors} == {}


@each_operation
def test_every_body_has_examples_that_it_allows(operation: SpecifiedOperation) -> None:
    """Requests and responses, each media type."""
    for where, content in _contents(operation):
        examples = [resolve(example)["value"] for example in content.get("examples", {}).values()]
        assert examples, f"{where} has no example"
        assert [schema_errors(content["schema"], example) for example in examples] == [[]] * len(examples), where


@each_operation
def test_every_error_is_a_problem(operation: SpecifiedOperation) -> None:
    """RFC 9457, and nothing beside it."""
    responses = {status: resolve(response) for status, response in operation.definition["responses"].items()}
    errors = {status: response["content"] for status, response in responses.items() if status >= "4"}
    assert {status: content for status, content in errors.items() if list(content) != [PROBLEM]} == {}
    for content in errors.values():
        assert content[PROBLEM]["schema"] == {"$ref": "#/components/schemas/Problem"}


@each_operation
def test_every_problem_example_has_the_status_it_stands_under(operation: SpecifiedOperation) -> None:
    """And the title of that status."""
    for status, response in operation.definition["responses"].items():
        for example in resolve(response).get("content", {}).get(PROBLEM, {}).get("examples", {}).values():
            assert str(resolve(example)["value"]["status"]) == status


@each_operation
def test_every_answer_carries_the_request_id(operation: SpecifiedOperation) -> None:
    """Always, so it is required."""
    for status, response in operation.definition["responses"].items():
        header = resolve(resolve(response)["headers"].get("X-Request-Id", {}))
        assert header.get("required") is True, status


@each_operation
def test_what_creates_says_where_and_which_version(operation: SpecifiedOperation) -> None:
    """201 declares Location and ETag."""
    for status, response in operation.definition["responses"].items():
        if status == "201":
            assert {"Location", "ETag"} <= resolve(response)["headers"].keys()


@each_operation
def test_statuses_that_ask_for_a_header_declare_it(operation: SpecifiedOperation) -> None:
    """405 has Allow (RFC 9110 §15.5.6), 503 Retry-After, 412 the present ETag, 415 what is accepted."""
    needed = {"405": "Allow", "412": "ETag", "415": "Accept", "503": "Retry-After", "304": "ETag"}
    for status, header in needed.items():
        if status in operation.definition["responses"]:
            assert header in resolve(operation.definition["responses"][status])["headers"], status


def test_what_the_server_owns_is_read_only() -> None:
    """And so not in what a client writes."""
    schemas = specification()["components"]["schemas"]
    owned = {name for name, member in schemas["Item"]["properties"].items() if member.get("readOnly")}
    assert owned == {"id", "created_at", "updated_at"}
    assert schemas["NewItem"]["properties"].keys() == schemas["Item"]["properties"].keys() - owned
    assert schemas["ItemPatch"]["properties"] == schemas["NewItem"]["properties"]

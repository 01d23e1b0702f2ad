"""The rules of the contract. Spectral (`openapi/spectral.yaml`) reports most of them too, with file and line."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

from tests.resources import ContractResource, resources
from tests.support import PROBLEM, SpecifiedOperation, operations, resolve, specification

SPECIFICATION = specification()
COMPONENTS = SPECIFICATION["components"]
TYPED_SECTIONS = ("schemas", "parameters", "headers", "requestBodies", "responses")
"""The sections whose components generators declare types for."""
each_operation = pytest.mark.parametrize("operation", operations(), ids=str)


def _nodes(node: Any) -> Iterator[Mapping[str, Any]]:
    """Every object of the document."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(child)


def _contents(operation: SpecifiedOperation) -> Iterator[Mapping[str, Any]]:
    """The media types of the request body and of all responses."""
    parts = [operation.definition.get("requestBody", {}), *operation.definition["responses"].values()]
    for part in map(resolve, parts):
        yield from part.get("content", {}).values()


def _parameters(operation: SpecifiedOperation) -> list[Mapping[str, Any]]:
    shared = SPECIFICATION["paths"][operation.path].get("parameters", [])
    return [resolve(parameter) for parameter in [*shared, *operation.definition.get("parameters", [])]]


def test_the_file_is_valid_openapi() -> None:
    """It matches the schema of OpenAPI."""
    OpenAPIV30SpecValidator(SPECIFICATION).validate()


def test_the_description_is_short_and_links_to_documents() -> None:
    """Five lines, and externalDocs for the contract and for its conditional requests."""
    assert len(SPECIFICATION["info"]["description"].splitlines()) <= 5
    assert SPECIFICATION["externalDocs"]["url"]
    assert any("externalDocs" in tag for tag in SPECIFICATION["tags"])


def test_no_url_is_made_up() -> None:
    """No link leads to a domain that is reserved for examples (RFC 2606)."""
    urls = [node["url"] for node in _nodes(SPECIFICATION) if isinstance(node.get("url"), str)]
    assert urls
    assert [url for url in urls if re.search(r"\bexample\.(com|net|org)\b|\.(example|invalid|test)\b", url)] == []


@each_operation
def test_an_operation_is_described(operation: SpecifiedOperation) -> None:
    """An operationId, one tag, a summary of at most 60 characters, and a description."""
    definition = operation.definition
    assert re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", definition["operationId"])
    assert len(definition["tags"]) == 1
    assert 0 < len(definition["summary"]) <= 60
    assert definition["description"]


@each_operation
def test_an_operation_lists_few_responses_and_the_default(operation: SpecifiedOperation) -> None:
    """At most six; the default is the shared problem."""
    responses = operation.definition["responses"]
    assert len(responses) <= 6
    assert responses["default"] == {"$ref": "#/components/responses/Problem"}
    assert "400" in responses


def test_the_contract_lists_few_responses() -> None:
    """Between five and six per operation, on average, however many resources there are."""
    assert sum(len(operation.definition["responses"]) for operation in operations()) <= 5.5 * len(operations())


@each_operation
def test_every_body_has_named_examples(operation: SpecifiedOperation) -> None:
    """Each of them is a shared example with a summary."""
    for content in _contents(operation):
        assert content["examples"]
        assert "example" not in content
        for example in content["examples"].values():
            assert example.keys() == {"$ref"}
            assert resolve(example)["summary"]


@each_operation
def test_an_operation_with_preconditions_can_fail_them(operation: SpecifiedOperation) -> None:
    """Both headers are there or none (RFC 9110 §13); 412 with If-Match, and 304 where If-None-Match is for reading."""
    headers = {parameter["name"] for parameter in _parameters(operation) if parameter["in"] == "header"}
    conditional = headers & {"If-Match", "If-None-Match"}
    assert len(conditional) in (0, 2)
    assert ("412" in operation.definition["responses"]) is bool(conditional)
    assert ("304" in operation.definition["responses"]) is (bool(conditional) and operation.method == "GET")


def test_no_two_components_share_a_name() -> None:
    """Generators that declare a type for each component would declare it twice; case does not count.

    Problem is the exception: the response is that schema, and no generator that is tested here types responses.
    """
    names = Counter(name.lower() for section in TYPED_SECTIONS for name in COMPONENTS.get(section, {}))
    assert {name for name, count in names.items() if count > 1} == {"problem"}


@pytest.mark.parametrize("section", COMPONENTS)
def test_every_component_is_used(section: str) -> None:
    """Something in the document refers to it."""
    used = {node.get("$ref") for node in _nodes(SPECIFICATION)}
    assert [name for name in COMPONENTS[section] if f"#/components/{section}/{name}" not in used] == []


@pytest.mark.parametrize("tag", SPECIFICATION["tags"], ids=lambda tag: str(tag["name"]))
def test_every_tag_is_used(tag: dict[str, Any]) -> None:
    """At least one operation has it."""
    assert any(tag["name"] in operation.definition["tags"] for operation in operations())


@each_operation
def test_the_example_of_a_problem_has_the_status_of_its_response(operation: SpecifiedOperation) -> None:
    """The examples of the default have none of the statuses that the contract lists by themselves, except 503."""
    listed = {status for other in operations() for status in other.definition["responses"]} - {"503"}
    for status, response in operation.definition["responses"].items():
        for example in resolve(response).get("content", {}).get(PROBLEM, {}).get("examples", {}).values():
            found = str(resolve(example)["value"]["status"])
            assert (found not in listed) if status == "default" else (found == status)


@pytest.mark.parametrize("resource", resources().values(), ids=resources().keys())
def test_a_client_writes_what_the_service_does_not_own(resource: ContractResource) -> None:
    """What can be read was written or assigned, and a patch accepts what a new one accepts, without its defaults."""
    schemas = resource.schemas
    owned = {name for name, schema in schemas["stored"]["properties"].items() if schema.get("readOnly")}
    assert schemas["new"]["properties"].keys() == schemas["stored"]["properties"].keys() - owned
    assert list(schemas["patch"]["properties"]) == list(schemas["new"]["properties"])
    for name, schema in schemas["new"]["properties"].items():
        (component,) = schema.get("allOf", [schema])
        assert schemas["patch"]["properties"][name] == component
        assert "default" not in resolve(component)


@pytest.mark.parametrize("resource", resources().values(), ids=resources().keys())
def test_a_response_has_every_property(resource: ContractResource) -> None:
    """None is left out."""
    stored = resource.schemas["stored"]
    assert stored["required"] == list(stored["properties"])

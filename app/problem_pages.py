"""The types of problems, and their pages: the section `404 Not Found` of docs/problems.md is `/problems/not-found`.

A page consists of the section, of the row for its status in docs/errors.md, and of the properties that the contract
gives to a problem.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from app import documents
from app.settings import ROOT

PATH = "/problems/"
_SECTION = re.compile(r"^## (?P<status>\d{3}) (?P<title>.+)\n(?P<text>(?:(?!## ).*\n)*)", re.MULTILINE)
_CAUSE = re.compile(r"^\| `(?P<status>\d{3}) [^|]+\| (?P<senders>[^|]*) \| (?P<cause>[^|]*) \| (?P<headers>[^|]*)\|$")


@cache
def problem_types() -> Mapping[int, str]:
    """Return the path of the page for each status that has one: the `type` of its problems."""
    return {int(section["status"]): PATH + _name(section) for section in _sections()}


def names() -> list[str]:
    """Return the names of the pages, such as `not-found`."""
    return [_name(section) for section in _sections()]


def page(name: str, specification: Mapping[str, Any]) -> bytes:
    """Return one of the pages as HTML. `specification` is the contract."""
    (section,) = (section for section in _sections() if _name(section) == name)
    title = f"{section['status']} {section['title']}"
    return documents.html_page(title, _markdown(section, specification), folder="../ui/")


@cache
def _sections() -> list[re.Match[str]]:
    return list(_SECTION.finditer((ROOT / "docs" / "problems.md").read_text(encoding="utf-8")))


def _name(section: re.Match[str]) -> str:
    return re.sub("[^a-z]+", "-", section["title"].lower())


def _markdown(section: re.Match[str], specification: Mapping[str, Any]) -> str:
    """Return the page as Markdown."""
    rows = [found for line in _errors().splitlines() if (found := _CAUSE.match(line))]
    (row,) = (row for row in rows if row["status"] == section["status"])
    example = section["text"].replace("```console", "## Example\n\n```console")
    headers = f", with {row['headers'].strip()}" if row["headers"].strip() else ""
    return (
        f"# {section['status']} {section['title']}\n{example}\n"
        f"## Properties\n\n{_properties(section['status'], specification)}\n"
        f"## Type\n\nThe type is `{PATH}{_name(section)}`, sent by: {row['senders']}{headers}. {row['cause']}\n"
    )


def _errors() -> str:
    return (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")


def _properties(status: str, specification: Mapping[str, Any]) -> str:
    """Return a table of the properties that a problem with this status can have, as the contract describes them."""
    absent = {"errors": status != "400", "request_id": status != "500"}
    schemas = specification.get("components", {}).get("schemas", {})
    described = schemas.get("Problem", {}).get("properties", {})
    rows = (f"| `{name}` | {part['description']} |\n" for name, part in described.items() if not absent.get(name))
    return "| Property | Meaning |\n|---|---|\n" + "".join(rows)

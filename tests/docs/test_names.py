"""What the documents name is there: commands of make, files and folders, sections. And they fit on a screen."""

import re
from collections.abc import Iterator

import pytest

from app.settings import ROOT
from tests.docs.markdown import DOCUMENTS, blocks, headings, prose, read, spans

# By the commands, and not in the repository.
MADE = (".venv/", ".venv-bench/", ".venv-tools/", "node_modules/", "sdk/python/", "sdk/typescript/", "var/")
MEDIA_TYPE = re.compile(r"(application|text)/[\w.+-]+")
PATH = re.compile(r"(\w|\.\w)[\w.-]*(/[\w.-]+)*/?")
FILE = re.compile(r"[\w-]+\.(cfg|conf|in|ini|lua|md|py|toml|txt|ya?ml)|Dockerfile|LICENSE|Makefile")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _paths(text: str) -> Iterator[str]:
    """What looks like a path of the checkout: a file's name, or names with slashes between that do not begin with one.

    Addresses, media types and what lies outside of the checkout are none.
    """
    for span in [*spans(text), *(word for block in blocks(text, "sh") for word in block.split())]:
        if PATH.fullmatch(span) and not MEDIA_TYPE.fullmatch(span) and ("/" in span or FILE.fullmatch(span)):
            yield span


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_is_there(name: str) -> None:
    """Files and folders; a folder is written with a slash at its end."""
    named = {path for path in _paths(read(name)) if not path.startswith(MADE)}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    assert [path for path in sorted(named) if path.endswith("/") != (ROOT / path).is_dir()] == []


def test_every_command_of_make_is_there_and_is_named() -> None:
    """The documents name the commands that `make` lists, and no others."""
    listed = set(re.findall(r"^([a-z0-9-]+):.*## ", read("Makefile"), re.MULTILINE)) - {"help"}
    documents = [*DOCUMENTS, "benchmarks/README.md"]
    code = [line for name in documents for line in [*spans(read(name)), *blocks(read(name), "sh", "console")]]
    named = {target for line in code for target in re.findall(r"\bmake ([a-z0-9-]+)", line)}
    assert named == listed


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_within_the_project_leads_somewhere(name: str) -> None:
    """To a file that is there, and to a heading that it has."""
    for link in LINK.findall(prose(read(name))):
        if re.match("https?:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / name).parent / file if file else ROOT / name
        assert target.is_file(), link
        anchors = {_slug(heading) for heading in headings(target.read_text(encoding="utf-8"))}
        assert not anchor or anchor in anchors, link


def _slug(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", [*DOCUMENTS, "LICENSE"])
def test_no_line_is_longer_than_120_characters(name: str) -> None:
    """Tables, and answers as they are shown, cannot be broken."""
    text = read(name)
    shown = {
        line for block in blocks(text, "console") for line in block.split("\n") if not line.startswith(("$ ", "> "))
    }
    rows = {line for line in text.split("\n") if line.startswith("|")}
    assert [line for line in set(text.split("\n")) - shown - rows if len(line) > 120] == []

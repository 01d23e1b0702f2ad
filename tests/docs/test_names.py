"""The commands, files, folders and sections that the documents name exist, and lines are not too long."""

import re
from collections.abc import Iterator

import pytest

from app.settings import ROOT
from tests.docs.markdown import DOCUMENTS, PAGES, blocks, headings, prose, read, spans
from tests.extending import steps

# Created by commands or by the reader, and not in the repository.
MADE = (
    ".venv/",
    ".venv-bench/",
    ".venv-tools/",
    "node_modules/",
    "sdk/postman/",
    "sdk/python/",
    "sdk/typescript/",
    "var/",
    "../items-tests",
    "venv/",
    "web.py",  # in the PATH of the container
)
WRITTEN = {step.file for step in steps() if step.how == "New file"}
MEDIA_TYPE = re.compile(r"(application|text)/[\w.+-]+")
PATH = re.compile(r"(\w|\.\w)[\w.-]*(/[\w.-]+)*/?")
FILE = re.compile(r"[\w-]+\.(cfg|conf|in|ini|lua|md|py|toml|txt|ya?ml)|Dockerfile|LICENSE|Makefile")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _paths(text: str) -> Iterator[str]:
    """Yield what looks like a path of the checkout: a file name, or names joined by slashes.

    URLs, media types and absolute paths do not count.
    """
    for span in [*spans(text), *(word for block in blocks(text, "sh") for word in block.split())]:
        if PATH.fullmatch(span) and not MEDIA_TYPE.fullmatch(span) and ("/" in span or FILE.fullmatch(span)):
            yield span


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_exists(name: str) -> None:
    """A folder is written with a trailing slash."""
    named = {path for path in _paths(read(name)) if not path.startswith(MADE)} - WRITTEN
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    assert [path for path in sorted(named) if path.endswith("/") != (ROOT / path).is_dir()] == []


def test_every_make_command_exists_and_is_documented() -> None:
    """The documents name exactly the commands that `make` lists."""
    listed = set(re.findall(r"^([a-z0-9-]+):.*## ", read("Makefile"), re.MULTILINE)) - {"help"}
    documents = [*DOCUMENTS, "benchmarks/README.md"]
    code = [line for name in documents for line in [*spans(read(name)), *blocks(read(name), "sh", "console")]]
    named = {target for line in code for target in re.findall(r"\bmake ([a-z0-9-]+)", line)}
    assert named == listed


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_within_the_project_works(name: str) -> None:
    """The file exists, and has the heading."""
    for link in LINK.findall(prose(read(name))):
        if re.match("https?:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / name).parent / file if file else ROOT / name
        assert target.is_file(), link
        if anchor:
            assert anchor in {_slug(heading) for heading in headings(target.read_text(encoding="utf-8"))}, link


@pytest.mark.parametrize("name", sorted(set(PAGES) - {"docs/README.md"}))
def test_the_index_lists_every_page(name: str) -> None:
    """With its title."""
    title, *_ = headings(read(name))
    assert f"[{title}]({name.removeprefix('docs/')})" in read("docs/README.md")


def _slug(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", [*DOCUMENTS, "LICENSE"])
def test_no_line_is_longer_than_120_characters(name: str) -> None:
    """Tables and command output are exceptions, because they cannot be wrapped."""
    text = read(name)
    shown = {
        line for block in blocks(text, "console") for line in block.split("\n") if not line.startswith(("$ ", "> "))
    }
    rows = {line for line in text.split("\n") if line.startswith("|")}
    assert [line for line in set(text.split("\n")) - shown - rows if len(line) > 120] == []

"""Reads the documents for the tests: their code blocks, tables and code spans."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.settings import ROOT

PAGES = tuple(sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")))
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", *PAGES)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(.*)((?:\n> .*)*)\n((?s:.*))")
_SPAN = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """A command of a `console` block, and the output below it."""

    command: str
    shown: str

    def __str__(self) -> str:
        return self.command


def read(name: str) -> str:
    """Return the text of a file of the checkout."""
    return (ROOT / name).read_text(encoding="utf-8")


def fenced(text: str) -> list[tuple[str, str]]:
    """Return all code blocks in their order, as pairs of language and content."""
    return _BLOCK.findall(text)


def blocks(text: str, *languages: str) -> list[str]:
    """Return the code blocks in these languages, in their order."""
    return [content for language, content in fenced(text) if language in languages]


def prose(text: str) -> str:
    """Return the text without its code blocks."""
    return _BLOCK.sub("", text)


def spans(text: str) -> list[str]:
    """Return the code spans in sentences and tables."""
    return _SPAN.findall(prose(text))


def headings(text: str) -> list[str]:
    """Return all headings."""
    return _HEADING.findall(prose(text))


def table(text: str, heading: str, *, header: bool = False) -> list[list[str]]:
    """Return the rows of the one table below a heading, with or without the header row."""
    _, below = re.split(rf"^#+ {re.escape(heading)}$", text, maxsplit=1, flags=re.MULTILINE)
    lines = re.split(r"^#", below, maxsplit=1, flags=re.MULTILINE)[0].splitlines()
    rows = [line for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in (rows if header else rows[2:])]


def examples(text: str) -> Iterator[Example]:
    """Yield the commands of the `console` blocks: a line after `$ `, and the lines after `> ` right below it.

    The lines up to the next command are its output.
    """
    for block in blocks(text, "console"):
        before, *parts = re.split(r"^\$ ", block, flags=re.MULTILINE)
        assert not before, f"{before!r} stands before the first command"
        for part in parts:
            found = _COMMAND.fullmatch(part)
            assert found
            first, more, shown = found.groups()
            yield Example(first + more.replace("\n> ", "\n"), shown)

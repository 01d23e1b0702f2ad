"""All texts and names of the project use one vocabulary and plain English.

The test reads every source file as a whole: prose, docstrings, comments, messages and names.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import ROOT

THIS_TEST = "tests/docs/test_vocabulary.py"  # it contains the words
NOT_SOURCE = {".git", ".venv", "__pycache__", "mutants", "node_modules", "var", "sdk/python", "sdk/typescript"}
"""Folders that commands create; hidden folders except `.ci` are skipped as well."""
SUFFIXES = {".conf", ".css", ".html", ".js", ".lua", ".md", ".mts", ".py", ".rb", ".toml", ".yaml", ".yml"}
NAMES = {"Dockerfile", "Makefile", "healthcheck", "run"}
"""The text files: those with one of these suffixes, and these. Lock files are data."""

WORDS = {
    r"(un)?answer(s|ed|ing)?": "response, respond",
    r"repl(y|ies|ied|ying)": "response, respond",
    r"members?": "property",
    r"address(es)?": "URL",
    r"judge[sd]?|judging": "validate",
    r"h(old|olds|olding|eld)( \w+){0,4} against": "validate, compare",
    r"sane": "valid",
    r"believe[sd]?": "trust",
    r"heard": "read, used",
    r"obey(s|ed)?": "follow",
    r"lone surrogates?": "unpaired surrogate",
    r"stock pipeline|left to connexion": "fallback",
    r"tak(e|es|en|ing) apart": "decode",
    r"straight|examined": "fast path, slow path",
    r"pass(es|ed)? over": "ignore",
    r"shall": "must, will",
    r"whom": "a sentence without it",
    r"becom(e|es) of": "what happens to, what happens when",
    r"in the same breath": "at once",
    r"anew": "again",
    r"mend(s|ed|ing)?": "fix",
    r"rul(e|es|ed) out": "exclude",
    r"of the house": "of the project",
    r"to the letter": "unchanged, exactly",
    r"under way": "running",
    r"somebody|anybody": "the client, the server, the user",
}
"""Patterns of the words to avoid, with what to write instead. `_` separates words, so names are covered, too."""

ALLOWED = {
    r"(IP|IPv[46]|e-?mail|network) ?address(es)?": "not a URL",
    r"(listen|reuse|server|client|ip)[_-]address(es)?|address_(family|string)|cfg\.address": "a name of a library",
    r"extension members?": "the term of RFC 9457 §3.2",
}
"""Uses that are right, with the reason."""

RULES = [(re.compile(rf"(?<![A-Za-z])(?:{pattern})(?![A-Za-z])", re.IGNORECASE), use) for pattern, use in WORDS.items()]
CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])")
EXCEPTIONS = re.compile("|".join(ALLOWED), re.IGNORECASE)


def files() -> Iterator[str]:
    """Yield the paths of all text files of the project."""
    for path in sorted(ROOT.rglob("*")):
        relative = path.relative_to(ROOT)
        hidden = any(part.startswith(".") and part != ".ci" for part in relative.parts)
        if hidden or not _covers(NOT_SOURCE, relative, anywhere=True) or not path.is_file():
            continue
        if path.suffix in SUFFIXES or path.name in NAMES:
            yield str(relative)


def _covers(names: set[str], relative: Path, *, anywhere: bool = False) -> bool:
    """Return whether a path is outside of the named files and folders."""
    parents = {str(relative), *map(str, relative.parents)} | (set(relative.parts) if anywhere else set())
    return not parents & names


def findings(text: str) -> list[str]:
    """Return each word to avoid with its line and the words to use."""
    text = CAMEL_CASE.sub(" ", text)
    text = EXCEPTIONS.sub(lambda found: " " * len(found[0]), text)
    return [
        f"line {text.count(chr(10), 0, found.start()) + 1}: {found[0]!r}: write {use}"
        for rule, use in RULES
        for found in rule.finditer(text)
    ]


FILES = [name for name in files() if name != THIS_TEST]


@pytest.mark.parametrize("name", FILES)
def test_a_file_uses_the_vocabulary(name: str) -> None:
    """It has none of the words to avoid."""
    assert findings((ROOT / name).read_text(encoding="utf-8")) == []


def test_all_kinds_of_files_are_read() -> None:
    """Documents, code, scripts and configuration are among the files."""
    assert {"README.md", "app/worker.py", "app/ui/initialize.js", "nginx/nginx.conf", ".ci/run", "Makefile"} <= set(
        FILES
    )


@pytest.mark.parametrize(
    "text",
    [
        "The item as it shall be.",
        "it is believed from those whom FORWARDED_ALLOW_IPS names",
        "What becomes of an answer",
        "yours, if you sent a sane one",
        "the socket is closed in the same breath",
        "lacks the mending of CVE-2024-47875",
        "is not a member here; the members are: a, b",
        "a lone surrogate, which no text has",
        "which the Accept header rules out",
        "def _answer(status: int) -> None:",
        "class StrictAnswers:",
        "held every answer against the contract",
        "The address of an item.",
        "problem_members",
    ],
)
def test_the_words_are_found(text: str) -> None:
    """In sentences and in names."""
    assert findings(text) != []


@pytest.mark.parametrize(
    "text",
    ["The IP address of the client.", "server_address", "An extension member (RFC 9457 §3.2).", "Remember this."],
)
def test_other_uses_are_allowed(text: str) -> None:
    """A part of a longer word, or an exception."""
    assert findings(text) == []

"""The documents for users of the API as HTML pages: `docs/errors.md` is `/ui/errors.html`."""

import html
import itertools
import re
from collections.abc import Iterable
from functools import cache
from pathlib import PurePosixPath
from string import Template
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.settings import ROOT

DOCUMENTS = {"http.html": "HTTP behaviour", "errors.html": "Errors"}
"""The pages and their titles, in the order in which they link to each other."""
_STATUS = re.compile(r"<td>(?P<status><code>[45]\d\d (?P<title>[A-Za-z ]+)</code>)</td>")
"""A cell of a table with the title of a problem, which has a page (app/problem_pages.py)."""


@cache
def page(name: str) -> bytes:
    """Return one of DOCUMENTS."""
    text = (ROOT / "docs" / name).with_suffix(".md").read_text(encoding="utf-8")
    return _STATUS.sub(_link_to_problem, html_page(DOCUMENTS[name], text, name).decode()).encode()


def html_page(title: str, markdown: str, name: str = "", *, folder: str = "") -> bytes:
    """Return a Markdown text as a page, with links to all documents but `name`. `folder` leads from it to /ui/."""
    parser = MarkdownIt().enable("table")
    tokens = parser.parse(markdown)
    for heading, text in itertools.pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", _anchor(text.content))
    for token in tokens:
        _replace_links(token.children or (), folder)
    template = Template((ROOT / "app" / "ui" / "document.html").read_text(encoding="utf-8"))
    links = "".join(
        f'<a href="{folder}{other}">{html.escape(label)}</a>' for other, label in DOCUMENTS.items() if other != name
    )
    content = parser.renderer.render(tokens, parser.options, {})
    return template.substitute(title=html.escape(title), ui=folder or "./", links=links, content=content).encode()


def _link_to_problem(cell: re.Match[str]) -> str:
    return f'<td><a href="../problems/{_anchor(cell["title"])}">{cell["status"]}</a></td>'


def _anchor(heading: str) -> str:
    """Return the fragment that GitHub gives to a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _replace_links(tokens: Iterable[Token], folder: str = "") -> None:
    """Make links to other documents lead to their pages. A link to a file that is not served becomes text."""
    tag = "a"
    for token in tokens:
        if token.type == "link_open":
            target = _target(str(token.attrs["href"]), folder)
            token.attrs = {"href": target} if target else {}
            token.tag = tag = "a" if target else "span"
        elif token.type == "link_close":
            token.tag = tag


def _target(url: str, folder: str = "") -> str | None:
    """Return where a link of a document leads to from its page."""
    parts = urlsplit(url)
    if parts.scheme or not parts.path:
        return url
    name = PurePosixPath(parts.path).with_suffix(".html").name
    if parts.path != str(PurePosixPath(name).with_suffix(".md")) or name not in DOCUMENTS:
        return None
    return parts._replace(path=folder + name).geturl()

"""The documents for users of the API, as pages of a running service."""

import re
from urllib.parse import urljoin

import pytest
from markdown_it import MarkdownIt

from app import SPECIFICATION, documents
from app.documents import DOCUMENTS
from app.pages import CONTENT_SECURITY_POLICY
from app.settings import ROOT
from tests.support import ContractClient

each_document = pytest.mark.parametrize("name", DOCUMENTS)


@each_document
def test_a_document_is_a_page(client: ContractClient, name: str) -> None:
    """It has the title, the headings and the text of the file, and no scripts."""
    response = client.get(f"/ui/{name}")
    assert (response.status_code, response.headers["Content-Security-Policy"]) == (200, CONTENT_SECURITY_POLICY)
    assert f"<title>{DOCUMENTS[name]}</title>" in response.text
    source = (ROOT / "docs" / name).with_suffix(".md").read_text(encoding="utf-8")
    tokens = MarkdownIt().parse(source)
    headings = [text.content for text, before in zip(tokens[1:], tokens, strict=False) if before.type == "heading_open"]
    assert len(re.findall(r"<h[1-6] id=", response.text)) == len(headings) > 1
    assert "<script" not in response.text


@each_document
def test_every_link_of_a_document_works(client: ContractClient, name: str) -> None:
    """Links lead to pages of the service, to places in them, or to other hosts."""
    page = client.get(f"/ui/{name}").text
    urls = re.findall(r'href="([^"]+)"', page)
    assert {f"{other}" for other in DOCUMENTS if other != name} | {"./"} <= set(urls)
    for url in urls:
        path, _, fragment = urljoin(f"/ui/{name}", url).partition("#")
        if path.startswith("/"):
            target = client.get(path)
            assert target.status_code == 200, url
            assert not fragment or f'id="{fragment}"' in target.text, url


def test_the_contract_links_to_documents(client: ContractClient) -> None:
    """Its relative URLs are those of the documents, and they work in a running service."""
    urls = re.findall(r"externalDocs:\n(?: +\w+:.*\n)*? +url: (.*)", SPECIFICATION.read_text(encoding="utf-8"))
    assert {f"ui/{name}" for name in DOCUMENTS} <= set(urls)
    assert {client.get(f"/{url}").status_code for url in urls if "://" not in url} == {200}


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://www.rfc-editor.org/rfc/rfc9457", "https://www.rfc-editor.org/rfc/rfc9457"),
        ("#statuses", "#statuses"),
        ("errors.md", "errors.html"),
        ("errors.md#statuses", "errors.html#statuses"),
        ("../README.md#database-errors", None),
        ("../errors.md", None),
        ("extending.md", None),
        ("errors.txt", None),
    ],
)
def test_links_to_files_become_links_to_pages(url: str, target: str | None) -> None:
    """A link to a file that is not served is text."""
    parser = MarkdownIt()
    tokens = parser.parse(f"[text]({url}) [other](errors.md)")
    for token in tokens:
        documents._replace_links(token.children or ())
    first = f'<a href="{target}">text</a>' if target else "<span>text</span>"
    assert parser.renderer.render(tokens, parser.options, {}) == f'<p>{first} <a href="errors.html">other</a></p>\n'


def test_headings_have_the_anchors_of_github() -> None:
    """Lower case, without punctuation, with hyphens."""
    assert documents._anchor("What `If-Match` does, and why") == "what-if-match-does-and-why"

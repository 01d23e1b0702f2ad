"""`X-Forwarded-Prefix`: which values are valid, and what the scope and the pages do with them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from connexion import FlaskApp

from app import SPECIFICATION, prefix
from app.specfile import SpecFile
from tests.support import ContractClient, assert_problem

DOCUMENTS = ["/openapi.yaml", "/openapi.json"]
LONGEST = "/" + "x" * (prefix.MAX_LENGTH - 1)
NO_PREFIX = [
    "",
    "/",
    "shop",
    "/shop/",
    "//evil.example",
    "/shop//x",
    "/../x",
    "/shop/..",
    "/./x",
    "/.",
    "http://evil.example",
    "/a b",
    '/a"b',
    "/a'b",
    "/a<b>",
    "/a\\b",
    "/a,/b",
    "/a?b",
    "/a#b",
    "/a:b",
    "/a@b",
    "/%2e%2e/x",
    "/a\n",
    "/a\r\nX-Evil: 1",
    "/\u00e9",
    LONGEST + "x",
]


def scope_of(*announced: str, path: str = "/items", root_path: str = "") -> dict[str, Any]:
    """Return the scope of a request with these `X-Forwarded-Prefix` headers, after `restore`."""
    headers = [(b"host", b"a"), *((b"x-forwarded-prefix", text.encode()) for text in announced)]
    scope = {"path": path, "raw_path": path.encode(), "root_path": root_path, "headers": headers}
    prefix.restore(scope)
    return scope


@pytest.mark.parametrize("text", ["/shop", "/shop/v1.2", "/~me/a_b-c", "/...", "/.well-known", "/a..b", LONGEST])
def test_a_prefix_is_added_to_the_path(text: str) -> None:
    """The prefix is in front of the path and in `root_path`."""
    scope = scope_of(text)
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == (text, f"{text}/items", f"{text}/items".encode())


def test_the_prefix_comes_before_the_servers_root_path() -> None:
    """This holds whether or not the server's path includes its `root_path`."""
    for path in ("/api/items", "/items"):
        scope = scope_of("/shop", path=path, root_path="/api")
        assert (scope["root_path"], scope["path"]) == ("/shop/api", "/shop/api/items")


def test_a_path_that_begins_like_the_prefix_is_kept_whole() -> None:
    """The proxy has already removed the prefix, so the rest is the path, even if it looks like the prefix."""
    assert scope_of("/items", path="/items/1")["path"] == "/items/items/1"


@pytest.mark.parametrize("announced", [(), *((text,) for text in NO_PREFIX), ("/a", "/b"), ("/a", "/a")], ids=repr)
def test_an_invalid_or_repeated_prefix_changes_nothing(announced: tuple[str, ...]) -> None:
    """The scope stays the same."""
    scope = scope_of(*announced)
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("", "/items", b"/items")


@pytest.fixture
def below(application: FlaskApp) -> Iterator[ContractClient]:
    """A client of the application below the longest valid prefix."""
    with ContractClient(application, root_path=LONGEST) as started:
        yield started


def test_the_longest_prefix_fits_into_the_contracts_limits(below: ContractClient) -> None:
    """The contract limits the length of `Location` and `Link`."""
    below.fill(LONGEST)
    assert below.get(f"{LONGEST}/items?limit=1").status_code == 200


@pytest.mark.parametrize("path", DOCUMENTS)
def test_the_contracts_servers_have_the_prefix(client: ContractClient, below: ContractClient, path: str) -> None:
    """Everything else is the same, byte by byte, and the ETag differs."""
    here, there = client.get(path), below.get(LONGEST + path)
    servers = [{"url": LONGEST, "description": "Where this file was served from."}]
    assert yaml.safe_load(there.text) == {**yaml.safe_load(here.text), "servers": servers}
    changed = [pair for pair in zip(here.text.split("\n"), there.text.split("\n"), strict=True) if len(set(pair)) == 2]
    assert [(old.strip(' -,"'), new.strip(' -,"').replace(LONGEST, "…")) for old, new in changed] in (
        [("url: /", "url: …")],
        [('url": "/', 'url": "…')],
    )
    assert here.headers["ETag"] != there.headers["ETag"]
    again = below.get(LONGEST + path, headers={"If-None-Match": there.headers["ETag"]})
    assert (again.status_code, again.headers["ETag"]) == (304, there.headers["ETag"])
    assert below.get(LONGEST + path, headers={"If-None-Match": here.headers["ETag"]}).status_code == 200
    for response in (here, there, again):
        assert response.headers["Vary"] == "X-Forwarded-Prefix"
    assert client.get(path).content == here.content


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_servers_with_a_host_are_unchanged(form: str) -> None:
    """The other URLs begin with the prefix, in any notation and at any position."""
    source = """\
    info: {title: "ÄÖÜ \U0001f4a1", x-url: /}
    servers:
      - {description: /, url: '/v1/'}
      - url: "/"
      - url: https://items.example/
      - url: //items.example/
      - url: v2
    paths: {/: {servers: [{url: /}]}}
    """
    document = yaml.safe_load(source)
    text = source if form == "yaml" else json.dumps(document, ensure_ascii=False)
    urls = ["/shop/v1", "/shop", "https://items.example/", "//items.example/", "v2"]
    expected = {
        **document,
        "servers": [{**old, "url": url} for old, url in zip(document["servers"], urls, strict=True)],
    }
    file = SpecFile(text.encode(), "application/json")
    assert yaml.safe_load(file.with_prefix("/shop")) == expected
    assert file.with_prefix("") == text.encode()


@pytest.mark.parametrize("content", [b"servers: []\n", b"openapi: 3.0.3\n"])
def test_a_contract_without_servers_is_unchanged(content: bytes) -> None:
    """There is no URL to change."""
    assert SpecFile(content, "application/yaml").with_prefix("/shop") == content


@pytest.mark.parametrize("path", ["/nothing", "/ui/nothing", "//items", "/items/1/x"])
def test_a_404_has_the_path_with_its_prefix(below: ContractClient, path: str) -> None:
    """The prefix is part of the client's URL."""
    response = below.get(f"http://testserver{LONGEST}{path}")
    assert_problem(response, 404, f"There is nothing at {LONGEST}{path}.")


def test_the_ui_needs_no_prefix(below: ContractClient) -> None:
    """All URLs of the page are relative, so its files are the same below every prefix."""
    page = below.get(f"{LONGEST}/ui/")
    assert (page.status_code, "Vary" in page.headers) == (200, False)
    urls = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {below.get(f"{LONGEST}/ui/{url}").status_code for url in urls} == {200}


def test_the_original_document_is_never_changed(below: ContractClient) -> None:
    """The document with a prefix is a copy."""
    assert LONGEST.encode() not in SPECIFICATION.read_bytes()
    assert LONGEST.encode() in below.get(f"{LONGEST}/openapi.yaml").content

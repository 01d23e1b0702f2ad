"""What `app.edge` writes for nginx, for contracts with paths that are not as simple as those of items."""

import re
from pathlib import Path
from typing import Any

import pytest

from app import edge

ETAG = {"headers": {"etag": {"schema": {"type": "string"}}}}
CONTRACT: dict[str, Any] = {
    "paths": {
        "/t/{id}": {
            "parameters": [],
            "get": {"x-read-cache": True, "responses": {"200": {"$ref": "#/components/responses/T"}}},
            "put": {},
        },
        "/t/secret": {"post": {"responses": {"201": ETAG}}},
        "/t/{id}/été.{kind}": {"x-internal": True, "delete": {"responses": {}}, "patch": {"responses": {}}},
        "/elsewhere": {"$ref": "#/x-paths/elsewhere"},
        "/{name}": {"get": {"responses": {"default": {"description": "Anything."}}}},
        '/a"b': {"get": {"responses": {"304": ETAG}}},
    },
    "components": {"responses": {"T": ETAG}},
    "x-paths": {"elsewhere": {"get": {"x-read-cache": True, "responses": {"200": ETAG}}}},
}
FILES = edge.files(CONTRACT)
METHODS = re.findall(r'^"~(.*)"  "(.*)";$', FILES["methods.conf"], re.MULTILINE)
READS = re.findall(r'^"~(.*)"  1;$', FILES["reads.conf"], re.MULTILINE)
LOCATIONS = re.findall(r'^location ~ "(.*)" \{$', FILES["etags.conf"], re.MULTILINE)


@pytest.mark.parametrize(
    ("url", "methods"),
    [
        ("/t/1", "GET, HEAD, OPTIONS, PUT"),
        ("/t/1?x=/", "GET, HEAD, OPTIONS, PUT"),
        ("/t/secret", "OPTIONS, POST"),
        ("/t/secret?", "OPTIONS, POST"),
        ("/elsewhere", "GET, HEAD, OPTIONS"),
        ("/t/secrets", "GET, HEAD, OPTIONS, PUT"),
        ("/t/1/%C3%A9t%C3%A9.json", "DELETE, OPTIONS, PATCH"),
        ("/x.y", "GET, HEAD, OPTIONS"),
        ("/a%22b", "GET, HEAD, OPTIONS"),
        ("/t/1/", None),
        ("/t/", None),
        ("/", None),
        ("/u/t/1", None),
    ],
)
def test_the_first_entry_that_matches_a_url_has_the_methods_of_its_path(url: str, methods: str | None) -> None:
    """Literal segments come before templated ones; the URL is as the client sent it, with its query."""
    assert next((allowed for pattern, allowed in METHODS if re.search(pattern, url)), None) == methods


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/t/1", True),
        ("/t/secret", True),
        ('/a"b', True),
        ("/elsewhere", True),
        ("/t/1/été.json", False),
        ("/x", False),
        ("/t/1/", False),
    ],
)
def test_a_path_whose_get_has_an_etag_is_not_compressed(path: str, kept: bool) -> None:  # noqa: FBT001 -- a column
    """Directly or by reference, in any case. The path is decoded."""
    assert any(re.search(pattern, path) for pattern in LOCATIONS) == kept


@pytest.mark.parametrize(
    ("url", "cached"),
    [("/t/1", True), ("/t/1?x=/", True), ("/elsewhere", True), ("/t/1/", False), ("/x", False), ("/a%22b", False)],
)
def test_only_operations_that_allow_it_are_cached(url: str, cached: bool) -> None:  # noqa: FBT001 -- a column
    """Those with `x-read-cache: true`. The URL is as the client sent it, with its query."""
    assert any(re.search(pattern, url) for pattern in READS) == cached


def test_the_files_are_written(tmp_path: Path) -> None:
    """Into a folder that need not be there; again over what is there."""
    for _ in range(2):
        edge.write(tmp_path / "contract")
    assert {path.name for path in (tmp_path / "contract").iterdir()} == {"methods.conf", "etags.conf", "reads.conf"}
    assert '"~^/items(\\?|$)"  "GET, HEAD, OPTIONS, POST";\n' in (tmp_path / "contract" / "methods.conf").read_text()

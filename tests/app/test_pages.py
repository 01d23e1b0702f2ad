"""Pages outside of the contract's operations: the contract itself, and Swagger UI."""

import json
import re
from pathlib import Path
from typing import Any

import flask
import httpx
import pytest
import yaml

from app import SPECIFICATION
from app.pages import CONTENT_SECURITY_POLICY, UI, UI_FILES, UI_NAMES, ui_content
from tests.support import MADE_REQUEST_ID, PATHS, ContractClient, assert_problem, operations

TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml; charset=utf-8",
}
ASSETS = [name for name in UI_NAMES if name != "index.html"]
CONTRACTS = {"/openapi.yaml": "application/yaml", "/openapi.json": "application/json"}
PAGES = ["/ui/", *(f"/ui/{name}" for name in ASSETS), *CONTRACTS]
each_contract = pytest.mark.parametrize("path", CONTRACTS)


def vary(response: httpx.Response) -> set[str]:
    """Return the headers that the response depends on."""
    return set(response.headers["Vary"].split(", "))


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(("path", "status"), [("/", 302), ("/ui", 308)])
def test_the_redirects_to_the_ui(client: ContractClient, path: str, status: int) -> None:
    """The redirect stays on this host, whatever host and prefix the client sends."""
    lies = {
        "Accept": BROWSER,
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "//evil.example",
    }
    response = client.get(path, headers=lies)
    assert (response.status_code, response.headers["Location"]) == (status, "/ui/")
    assert "evil" not in response.text


def test_the_page_has_its_own_name(client: ContractClient) -> None:
    """`/ui/index.html` is the page itself, not a redirect to the host that the client sends."""
    response = client.get("/ui/index.html", headers={"Host": "evil.example"})
    assert (response.status_code, response.content) == (200, client.get("/ui/").content)
    assert response.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "accept", [BROWSER, "text/html", "application/json;q=0.5, text/*", "*/*;q=0.1, text/html;q=0.2"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_root_redirects_browsers_to_the_ui(client: ContractClient, method: str, accept: str) -> None:
    """A client that prefers HTML to JSON is redirected."""
    response = client.request(method, "/", headers={"Accept": accept})
    assert (response.status_code, response.headers["Location"]) == (302, "/ui/")
    assert vary(response) == {"Accept", "X-Forwarded-Prefix"}


@pytest.mark.parametrize("accept", ["*/*", "", "application/json", "text/html, application/json", "image/png", "html"])
def test_the_root_lists_urls_for_other_clients(client: ContractClient, accept: str) -> None:
    """The document has the name and the version of the contract, and URLs that work."""
    response = client.get("/", headers={"Accept": accept})
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    assert (vary(response), response.text[-2:]) == ({"Accept", "X-Forwarded-Prefix"}, "}\n")
    info = yaml.safe_load(SPECIFICATION.read_bytes())["info"]
    urls = {
        "documentation": "/ui/",
        "openapi": "/openapi.json",
        **{path.strip("/"): path for path in PATHS if "{" not in path},
    }
    assert {"/items", "/healthz", "/readyz"} <= set(urls.values())
    assert response.json() == {"name": info["title"], "version": info["version"], **urls}
    assert {client.get(url).status_code for url in urls.values()} == {200}
    assert client.head("/", headers={"Accept": accept}).headers["Content-Length"] == str(len(response.content))


def test_the_ui_is_a_page_without_inline_scripts(client: ContractClient) -> None:
    """A strict policy works, and all files of the page load."""
    response = client.get("/ui/")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert re.findall(r"<script(?![^>]*\bsrc=)|\son\w+=|javascript:|<style", response.text) == []
    for url in re.findall(r'(?:src|href)="([^"]+)"', response.text):
        assert client.get(f"/ui/{url}").status_code == 200


@pytest.mark.parametrize("name", UI_FILES)
def test_what_a_file_imports_is_served(client: ContractClient, name: str) -> None:
    """Scripts and stylesheets import only files of the page. Swagger UI's own files import nothing."""
    if UI_FILES[name] == UI:
        for url in re.findall(
            r'(?:^import .* from|@import url\()\s*"([^"]+)"', ui_content(name).decode(), re.MULTILINE
        ):
            assert client.get(f"/ui/{url}").status_code == 200, url


@pytest.mark.parametrize(
    "directive",
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ],
)
def test_the_policy_is_strict(directive: str) -> None:
    """The page runs only its own scripts and styles, makes no HTML from strings, and cannot be framed."""
    assert directive in CONTENT_SECURITY_POLICY.split("; ")


def test_the_versions_that_architecture_assesses(client: ContractClient) -> None:
    """ARCHITECTURE.md assesses these versions of Swagger UI and DOMPurify; assess new ones when this fails."""
    assert Path(UI_FILES["swagger-ui-bundle.js"]).name == "swagger-ui-4.15.5"
    assert 'r.version="2.3.10"' in client.get("/ui/swagger-ui-bundle.js").text


def test_the_ui_loads_the_contract_from_a_relative_url(client: ContractClient) -> None:
    """A relative URL works below any prefix."""
    assert 'url: "../openapi.json"' in client.get("/ui/initialize.js").text


@pytest.mark.parametrize("name", ASSETS)
def test_assets_have_their_types_and_are_cached(client: ContractClient, name: str) -> None:
    """Browsers cache Swagger UI for an hour, and revalidate the page's own files, so that they fit each other."""
    response = client.get(f"/ui/{name}")
    assert (response.status_code, response.headers["Content-Type"]) == (200, TYPES[name.rpartition(".")[2]])
    assert response.headers["Cache-Control"] == ("max-age=3600" if name.startswith("swagger-ui") else "no-cache")
    assert "Expires" not in response.headers  # it would only repeat max-age
    assert response.content == ui_content(name)


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js",
        "swagger-ui.js.map",
        "swagger-ui-standalone-preset.js",
        "favicon-32x32.png",
        "index.htm",
        "..%2Fpages.py",
        "%2e%2e/pages.py",
        "package.json",
        "document.html",  # the template
        "errors.md",
    ],
)
def test_other_files_are_404(client: ContractClient, name: str) -> None:
    """Only the files of the page are served; any other name is a 404 problem."""
    response = client.get(f"http://testserver/ui/{name}")
    assert_problem(response, 404, response.json()["detail"])


@pytest.mark.parametrize("path", PAGES)
def test_an_unchanged_page_is_304(client: ContractClient, path: str) -> None:
    """GET and HEAD send the same ETag, and a matching `If-None-Match` is a 304."""
    whole = client.get(path)
    assert client.head(path).headers["ETag"] == whole.headers["ETag"]
    response = client.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["ETag"] == whole.headers["ETag"]
    assert MADE_REQUEST_ID.fullmatch(response.headers["X-Request-Id"])


@pytest.mark.parametrize("path", PAGES)
def test_a_changed_page_is_sent_whole(client: ContractClient, path: str) -> None:
    """An `If-None-Match` that does not match gets the whole page."""
    response = client.get(path, headers={"If-None-Match": '"another"'})
    assert (response.status_code, response.content) == (200, client.get(path).content)


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"])
def test_a_long_condition_is_ignored(client: ContractClient, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Werkzeug does not read it."""

    def read(_response: Any, _request: Any) -> None:
        pytest.fail("The condition was read")

    monkeypatch.setattr(flask.Response, "make_conditional", read)
    assert client.get("/ui/", headers={name: "x" * 501}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/", "/ui", "/ui/", "/ui/initialize.js", *CONTRACTS])
def test_a_page_is_read_only(client: ContractClient, method: str, path: str) -> None:
    """Other methods are a 405 problem with the exact `Allow`."""
    detail = f"{method} is not allowed here; allowed methods: GET, HEAD, OPTIONS."
    assert_problem(client.request(method, path), 405, detail, headers={"Allow": "GET, HEAD, OPTIONS"})


@pytest.mark.parametrize("path", ["/", "/ui", "/ui/", *CONTRACTS])
def test_options_of_a_page_lists_its_methods(client: ContractClient, path: str) -> None:
    """The response has the exact `Allow` and no body."""
    response = client.options(path)
    assert (response.is_success, response.content) == (True, b"")
    assert sorted(response.headers["Allow"].split(", ")) == ["GET", "HEAD", "OPTIONS"]


@each_contract
def test_the_contract_is_revalidated(client: ContractClient, path: str) -> None:
    """Clients must revalidate the contract by ETag every time."""
    response = client.get(path)
    assert (response.status_code, response.headers["Content-Type"]) == (200, CONTRACTS[path])
    assert response.headers["Cache-Control"] == "no-cache"
    assert vary(response) == {"X-Forwarded-Prefix"}
    assert re.fullmatch(r'"[!#-~]+"', response.headers["ETag"])


def test_the_yaml_is_the_file(client: ContractClient) -> None:
    """`/openapi.yaml` is the file, byte by byte."""
    assert client.get("/openapi.yaml").content == SPECIFICATION.read_bytes()


def test_the_json_has_the_content_of_the_file(client: ContractClient) -> None:
    """References, names and their order are unchanged, because generators need them."""
    document = client.get("/openapi.json").json()
    assert json.dumps(document) == json.dumps(yaml.safe_load(SPECIFICATION.read_bytes()))
    assert document["servers"] == [{"url": "/", "description": "Where this file was served from."}]
    assert document["paths"]["/items"]["get"]["responses"]["400"] == {"$ref": "#/components/responses/BadRequest"}


@each_contract
def test_requests_do_not_change_the_contract(client: ContractClient, path: str) -> None:
    """After a request to every operation, the contract is still the same."""
    before = client.get(path).content
    for operation in operations():
        client.request(operation.method, operation.path.replace("{item_id}", "1"))
    assert client.get(path).content == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", path) for path in ("/", "/ui/", "/ui/nope", "/openapi.json", "/openapi.yaml", "/nope", "/items/1/x")),
        *(("POST", path) for path in ("/", "/ui/", "/openapi.json", "/nope")),
    ],
)
def test_pages_end_with_a_newline(client: ContractClient, method: str, path: str) -> None:
    """Bodies end with a newline, for terminals."""
    assert client.request(method, path).content.endswith(b"\n")

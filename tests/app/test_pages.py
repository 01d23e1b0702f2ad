"""Everything that is not an operation: the contract itself, and Swagger UI on it."""

import json
import re
from pathlib import Path

import httpx
import pytest
import yaml

from app import SPECIFICATION
from app.pages import CONTENT_SECURITY_POLICY, UI_FILES
from tests.support import MADE_REQUEST_ID, PATHS, ContractClient, assert_problem, operations

ASSET_TYPES = {
    "initialize.js": "text/javascript; charset=utf-8",
    "items.css": "text/css; charset=utf-8",
    "favicon.svg": "image/svg+xml; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
}
DOCUMENTS = {"/openapi.yaml": "application/yaml", "/openapi.json": "application/json"}
PAGES = ["/ui/", *(f"/ui/{name}" for name in ASSET_TYPES), *DOCUMENTS]
each_document = pytest.mark.parametrize("path", DOCUMENTS)


def vary(answer: httpx.Response) -> set[str]:
    """The headers that the answer depends on."""
    return set(answer.headers["Vary"].split(", "))


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(("path", "status"), [("/", 302), ("/ui", 308)])
def test_the_way_to_the_ui(client: ContractClient, path: str, status: int) -> None:
    """A redirect within this host, whatever host and prefix the client names."""
    lies = {
        "Accept": BROWSER,
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "//evil.example",
    }
    answer = client.get(path, headers=lies)
    assert (answer.status_code, answer.headers["Location"]) == (status, "/ui/")
    assert "evil" not in answer.text


def test_the_page_has_a_name_of_its_own(client: ContractClient) -> None:
    """It is no redirect, which would name the host that the client names."""
    answer = client.get("/ui/index.html", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.content) == (200, client.get("/ui/").content)
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "accept", [BROWSER, "text/html", "application/json;q=0.5, text/*", "*/*;q=0.1, text/html;q=0.2"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_browser_at_the_root_is_led_to_the_ui(client: ContractClient, method: str, accept: str) -> None:
    """Whoever would rather have HTML than JSON is one."""
    answer = client.request(method, "/", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/ui/")
    assert vary(answer) == {"Accept", "X-Forwarded-Prefix"}


@pytest.mark.parametrize("accept", ["*/*", "", "application/json", "text/html, application/json", "image/png", "html"])
def test_anybody_else_at_the_root_is_told_where_things_are(client: ContractClient, accept: str) -> None:
    """Name and version of the contract, and addresses that are there."""
    answer = client.get("/", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert (vary(answer), answer.text[-2:]) == ({"Accept", "X-Forwarded-Prefix"}, "}\n")
    info = yaml.safe_load(SPECIFICATION.read_bytes())["info"]
    addresses = {
        "documentation": "/ui/",
        "openapi": "/openapi.json",
        **{path.strip("/"): path for path in PATHS if "{" not in path},
    }
    assert {"/items", "/healthz", "/readyz"} <= set(addresses.values())
    assert answer.json() == {"name": info["title"], "version": info["version"], **addresses}
    assert {client.get(address).status_code for address in addresses.values()} == {200}
    assert client.head("/", headers={"Accept": accept}).headers["Content-Length"] == str(len(answer.content))


def test_the_ui_is_a_page_without_inline_scripts(client: ContractClient) -> None:
    """So that a strict policy can hold; everything it loads is beside it."""
    answer = client.get("/ui/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert re.findall(r"<script(?![^>]*\bsrc=)|\son\w+=|javascript:|<style", answer.text) == []
    for address in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        assert client.get(f"/ui/{address}").status_code == 200


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
    """No script and no style but this service's own files, no HTML out of text, and no frame around it."""
    assert directive in CONTENT_SECURITY_POLICY.split("; ")


def test_the_versions_that_architecture_judges(client: ContractClient) -> None:
    """When Swagger UI or DOMPurify changes, what ARCHITECTURE.md says of them has to be thought through again."""
    assert Path(UI_FILES["swagger-ui-bundle.js"]).name == "swagger-ui-4.15.5"
    assert 'r.version="2.3.10"' in client.get("/ui/swagger-ui-bundle.js").text


def test_the_ui_asks_for_the_contract_beside_it(client: ContractClient) -> None:
    """Relative, so that it works below any prefix."""
    assert 'url: "../openapi.json"' in client.get("/ui/initialize.js").text


@pytest.mark.parametrize("name", ASSET_TYPES)
def test_assets_have_their_types_and_can_be_kept(client: ContractClient, name: str) -> None:
    """For an hour, and then asked for again by ETag."""
    answer = client.get(f"/ui/{name}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, ASSET_TYPES[name])
    assert answer.headers["Cache-Control"] == "max-age=3600"
    assert "Expires" not in answer.headers  # another date each second says no more
    assert answer.content == Path(UI_FILES[name], name).read_bytes()


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
    ],
)
def test_another_file_is_not_there(client: ContractClient, name: str) -> None:
    """Only what the page needs is served, as a 404 problem otherwise."""
    answer = client.get(f"http://testserver/ui/{name}")
    assert_problem(answer, 404, answer.json()["detail"])


@pytest.mark.parametrize("path", PAGES)
def test_an_unchanged_page_is_304(client: ContractClient, path: str) -> None:
    """By its ETag; HEAD has it, too."""
    whole = client.get(path)
    assert client.head(path).headers["ETag"] == whole.headers["ETag"]
    answer = client.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["ETag"] == whole.headers["ETag"]
    assert MADE_REQUEST_ID.fullmatch(answer.headers["X-Request-Id"])


@pytest.mark.parametrize("path", PAGES)
def test_a_changed_page_is_sent_whole(client: ContractClient, path: str) -> None:
    """When the ETag is another."""
    answer = client.get(path, headers={"If-None-Match": '"another"'})
    assert (answer.status_code, answer.content) == (200, client.get(path).content)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/", "/ui", "/ui/", "/ui/initialize.js", *DOCUMENTS])
def test_a_page_can_only_be_read(client: ContractClient, method: str, path: str) -> None:
    """405 with the exact Allow, as a problem."""
    detail = f"{method} is not allowed here; allowed methods: GET, HEAD, OPTIONS."
    assert_problem(client.request(method, path), 405, detail, headers={"Allow": "GET, HEAD, OPTIONS"})


@pytest.mark.parametrize("path", ["/", "/ui", "/ui/", *DOCUMENTS])
def test_options_of_a_page_say_the_exact_allow(client: ContractClient, path: str) -> None:
    """And nothing else."""
    answer = client.options(path)
    assert (answer.is_success, answer.content) == (True, b"")
    assert sorted(answer.headers["Allow"].split(", ")) == ["GET", "HEAD", "OPTIONS"]


@each_document
def test_the_contract_is_fresh(client: ContractClient, path: str) -> None:
    """Asked for again each time, by ETag."""
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, DOCUMENTS[path])
    assert answer.headers["Cache-Control"] == "no-cache"
    assert vary(answer) == {"X-Forwarded-Prefix"}
    assert re.fullmatch(r'"[!#-~]+"', answer.headers["ETag"])


def test_the_yaml_is_the_file(client: ContractClient) -> None:
    """Byte by byte."""
    assert client.get("/openapi.yaml").content == SPECIFICATION.read_bytes()


def test_the_json_is_what_the_file_says(client: ContractClient) -> None:
    """References, names and their order intact: generators need them."""
    document = client.get("/openapi.json").json()
    assert json.dumps(document) == json.dumps(yaml.safe_load(SPECIFICATION.read_bytes()))
    assert document["servers"] == [{"url": "/", "description": "Where this file was served from."}]
    assert document["paths"]["/items"]["get"]["responses"]["400"] == {"$ref": "#/components/responses/BadRequest"}


@each_document
def test_the_contract_served_is_the_contract_kept(client: ContractClient, path: str) -> None:
    """After requests, too: nothing in the stack changes it."""
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
def test_what_is_no_operation_ends_with_a_newline_too(client: ContractClient, method: str, path: str) -> None:
    """For those who read it in a terminal."""
    assert client.request(method, path).content.endswith(b"\n")

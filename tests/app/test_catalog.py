"""`/.well-known/api-catalog` (RFC 9727) and the `Link` header of `/`: what programs find the API by."""

import re

import pytest

from app import catalog
from tests.support import ContractClient, assert_problem

LINK = re.compile(r'<([^>]*)>; rel="([^"]*)"')


def test_the_catalog_is_a_link_set(client: ContractClient) -> None:
    """RFC 9264 §4.2, with the profile of RFC 9727 §4.2 and the relations of RFC 8631."""
    response = client.get("/.well-known/api-catalog")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == (
        'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"'
    )
    assert response.json() == {
        "linkset": [
            {
                "anchor": "/",
                "service-desc": [
                    {"href": "/openapi.json", "type": "application/json"},
                    {"href": "/openapi.yaml", "type": "application/yaml"},
                ],
                "service-doc": [
                    {"href": "/ui/", "type": "text/html"},
                    {"href": "/ui/http.html", "type": "text/html"},
                    {"href": "/ui/errors.html", "type": "text/html"},
                ],
                "status": [{"href": "/readyz", "type": "application/json"}],
            }
        ]
    }
    assert response.content.endswith(b"\n")


def test_every_link_works_and_has_its_type(client: ContractClient) -> None:
    """Every target is served with the media type that the catalog says."""
    (context,) = client.get(catalog.PATH).json()["linkset"]
    assert client.get(context.pop("anchor")).status_code == 200
    for targets in context.values():
        for target in targets:
            response = client.get(target["href"])
            assert (response.status_code, response.headers["Content-Type"].partition(";")[0]) == (200, target["type"])


def test_head_has_the_link_to_the_catalog(client: ContractClient) -> None:
    """RFC 9727 §2; the other headers are those of GET."""
    get, head = client.get(catalog.PATH), client.head(catalog.PATH)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Link"] == get.headers["Link"] == '</.well-known/api-catalog>; rel="api-catalog"'
    for name in ("Content-Type", "Content-Length", "ETag", "Cache-Control", "Vary"):
        assert head.headers[name] == get.headers[name]
    assert (get.headers["Cache-Control"], get.headers["Vary"]) == ("no-cache", "X-Forwarded-Prefix")
    same = client.get(catalog.PATH, headers={"If-None-Match": get.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_the_root_links_to_what_describes_the_api(client: ContractClient, accept: str) -> None:
    """For browsers, which are redirected, as well."""
    response = client.get("/", headers={"Accept": accept})
    links = LINK.findall(response.headers["Link"])
    assert links == [("/openapi.json", "service-desc"), ("/ui/", "service-doc"), (catalog.PATH, "api-catalog")]
    assert {client.get(url).status_code for url, _ in links} == {200}


def test_the_host_of_the_client_is_nowhere(client: ContractClient) -> None:
    """All URLs are relative references."""
    for path in ("/", catalog.PATH):
        response = client.get(path, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
        assert "evil" not in response.text + str(response.headers)


def test_urls_have_the_prefix() -> None:
    """And a contract without a readiness check has no status."""
    (context,) = catalog.linkset("/shop", {})["linkset"]
    assert context["anchor"] == "/shop/"
    urls = [target["href"] for name, targets in context.items() if name != "anchor" for target in targets]
    assert all(url.startswith("/shop/") for url in urls)
    assert "status" not in context
    assert {url for url, _ in LINK.findall(catalog.links_of_root("/shop"))} == {
        "/shop/openapi.json",
        "/shop/ui/",
        "/shop/.well-known/api-catalog",
    }


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_the_catalog_is_read_only(client: ContractClient, method: str) -> None:
    """Other methods are a 405 problem with the exact `Allow`."""
    detail = f"{method} is not allowed here; allowed methods: GET, HEAD, OPTIONS."
    assert_problem(client.request(method, catalog.PATH), 405, detail, headers={"Allow": "GET, HEAD, OPTIONS"})

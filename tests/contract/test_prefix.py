"""Below a prefix (ASGI's `root_path`), as a proxy or a mounting application sets it, everything is the same."""

from collections.abc import Iterator

import pytest
from connexion import FlaskApp

from tests.support import ALLOW, PATHS, ContractClient, links


@pytest.fixture
def mounted(application: FlaskApp) -> Iterator[ContractClient]:
    """A client of the application below `/api`."""
    with ContractClient(application, root_path="/api") as started:
        yield started


def test_location_and_link_have_the_prefix(mounted: ContractClient) -> None:
    """They are relative to the URL that the client knows."""
    assert mounted.post("/api/items", json={"name": "x"}).headers["Location"] == "/api/items/1"
    assert links(mounted.get("/api/items?limit=1"))["first"].startswith("/api/items?")


@pytest.mark.parametrize("path", PATHS)
def test_the_operations_are_there(mounted: ContractClient, path: str) -> None:
    """With their Allow, too."""
    mounted.fill("/api")
    assert mounted.get(f"/api{PATHS[path]}").status_code == 200
    assert mounted.request("TRACE", f"/api{PATHS[path]}").headers["Allow"] == ALLOW[path]


@pytest.mark.parametrize(("path", "status"), [("/api/", 302), ("/api/ui", 308)])
def test_the_way_to_the_ui(mounted: ContractClient, path: str, status: int) -> None:
    """Below the prefix."""
    response = mounted.get(path, headers={"Accept": "text/html"})
    assert (response.status_code, response.headers["Location"]) == (status, "/api/ui/")


def test_the_root_tells_where_things_are(mounted: ContractClient) -> None:
    """Below the prefix."""
    urls = [value for value in mounted.get("/api/").json().values() if value.startswith("/")]
    static = [f"/api{path}" for path in PATHS if "{" not in path]
    assert urls == ["/api/ui/", "/api/openapi.json", *static]
    assert {"/api/items", "/api/healthz", "/api/readyz"} <= set(static)

"""Methods: HEAD wherever GET is, OPTIONS and 405 with the exact Allow, and 404 where there is no path."""

from typing import Any
from urllib.parse import unquote

import pytest

from tests.support import ALLOW, PATHS, ContractClient, assert_problem, operations

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY", "BREW", "get")
PATCHES = {
    operation.path: [operation.definition["requestBody"]["content"]]
    for operation in operations()
    if operation.method == "PATCH"
}
READING_PATHS = (
    *PATHS.values(),
    "/",
    "/ui",
    "/ui/",
    "/ui/initialize.js",
    "/openapi.json",
    "/openapi.yaml",
    "/nowhere",
    "/items/7",
)


@pytest.mark.parametrize("path", READING_PATHS)
def test_head_responds_as_get_without_a_body(client: ContractClient, path: str) -> None:
    """RFC 9110 §9.3.2: the same status and the same headers, the length included."""
    client.create()
    sent = {"X-Request-Id": "same"}
    get, head = client.get(path, headers=sent), client.head(path, headers=sent)
    varying = ("date", "expires", "ratelimit")
    assert head.content == b""
    assert head.status_code == get.status_code
    assert [(k, v) for k, v in head.headers.multi_items() if k not in varying] == [
        (k, v) for k, v in get.headers.multi_items() if k not in varying
    ]


@pytest.mark.parametrize("path", [*PATHS.values(), "/", "/ui/", "/openapi.json", "/nowhere", "/items/7", "/items/x"])
def test_no_byte_of_a_body_is_sent_to_head(client: ContractClient, path: str) -> None:
    """To the server, that is, which might pass it on; a client would overlook it."""
    client.create()
    head, get = (client.exchange(method, path) for method in ("HEAD", "GET"))
    assert (head.content, head.status_code) == (b"", get.status_code)
    assert head.headers["Content-Length"] == str(len(get.content))


@pytest.mark.parametrize("query", ["limit=0", "x=1", "cursor=x"])
def test_head_is_refused_as_get_is(client: ContractClient, query: str) -> None:
    """Without a body, too."""
    head, get = client.head(f"/items?{query}"), client.get(f"/items?{query}")
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize("path", PATHS)
def test_options_has_the_exact_allow(client: ContractClient, path: str) -> None:
    """204, with the media types of patches where there are any (RFC 5789 §3.1)."""
    response = client.options(PATHS[path], headers={"X-Request-Id": "r"})
    assert (response.status_code, response.content) == (204, b"")
    patches = [("accept-patch", ", ".join(content)) for content in PATCHES.get(path, ())]
    added = [("x-request-id", "r"), ("cache-control", "no-store")]
    assert response.headers.multi_items() == [("allow", ALLOW[path]), *patches, *added]


def _other_methods() -> list[Any]:
    return [
        pytest.param(path, method, id=f"{method} {path}")
        for path in PATHS
        for method in METHODS
        if method not in ALLOW[path].split(", ")
    ]


@pytest.mark.parametrize(("path", "method"), _other_methods())
def test_another_method_is_405_with_the_exact_allow(client: ContractClient, path: str, method: str) -> None:
    """Methods are case-sensitive (RFC 9110 §9.1); whatever else the request has is not looked at."""
    response = client.exchange(method, PATHS[path], [("Accept", b"text/html")], query=b"x=1")
    detail = f"{method} is not allowed here; allowed methods: {ALLOW[path]}."
    assert_problem(response, 405, detail, headers={"Allow": ALLOW[path]})


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "BREW"])
@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/items/", "/items/1/", "/Items", "/healthz/", "//items", "/items/1/x", "/items%2F1%2F", "/items%0A"],
)
def test_an_unknown_path_is_404(client: ContractClient, method: str, path: str) -> None:
    """With whatever method; a slash too many does not lead elsewhere."""
    response = client.request(method, f"http://testserver{path}")
    assert_problem(response, 404, f"There is nothing at {unquote(path)}.")


def test_a_long_unknown_path_is_not_repeated_whole(client: ContractClient) -> None:
    """Its first 200 characters will do."""
    assert_problem(client.get("/" + "x" * 5000), 404, f"There is nothing at /{'x' * 199}.")


@pytest.mark.parametrize("path", ["/items", "/items/1", "/healthz"])
def test_a_request_for_another_protocol_is_ignored(client: ContractClient, path: str) -> None:
    """RFC 9110 §7.8: a server may ignore Upgrade; the contract has no WebSockets."""
    client.create()
    plain = client.exchange("GET", path)
    headers = [
        ("Connection", b"Upgrade"),
        ("Upgrade", b"websocket"),
        ("Sec-WebSocket-Version", b"13"),
        ("Sec-WebSocket-Key", b"x"),
    ]
    assert client.exchange("GET", path, headers).content == plain.content

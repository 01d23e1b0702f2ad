"""Path prefixes: the real service, alone and behind nginx, behind a proxy that removes a prefix."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app import static
from tests.docs.markdown import blocks, read
from tests.e2e import browser as chrome
from tests.e2e.stack import Response, Running, ask, edge, outer, send, service
from tests.support import PATHS

HTML = {"Accept": "text/html"}
SHOP = {"X-Forwarded-Prefix": "/shop"}
TRUSTED = [("local/proxies.conf", "#192.0.2.1     1;", "127.0.0.1 1;")]
UNSAID = {"date", "x-request-id", "ratelimit", "etag", "last-modified", "expires"}
HOSTILE = [
    b"//evil.example",
    b"/../x",
    b"/shop/..",
    b"/shop/",
    b"http://evil.example",
    b'/a"b',
    b"/a'b",
    b"/<script>",
    b"/a b",
    b"/a\tb",
    b"/%2e%2e/x",
    b"/\\evil.example",
    b"/\xc3\xa9",
    b"/" + b"x" * 128,
]
TWICE = b"/a\r\nX-Forwarded-Prefix: /b"  # nginx 1.22 knows only the first


@pytest.fixture(scope="module")
def untrusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The service, which trusts only another machine."""
    with service(tmp_path_factory.mktemp("untrusting"), FORWARDED_ALLOW_IPS="192.0.2.1") as running:
        yield running


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, app: Running) -> Iterator[Running]:
    """The service behind its nginx, with the default configuration."""
    with edge(tmp_path_factory.mktemp("closed"), app.port) as running:
        yield running


@pytest.fixture(scope="module")
def inner(tmp_path_factory: pytest.TempPathFactory, app: Running) -> Iterator[Running]:
    """The service behind its nginx, which trusts this machine and serves the files of `/ui/`."""
    folder = tmp_path_factory.mktemp("inner")
    static.write(folder / "static")
    with edge(folder, app.port, TRUSTED) as running:
        yield running


@pytest.fixture(scope="module", params=["service", "nginx"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The proxy of docs/prefix.md, in front of the service and in front of its nginx; the value is the proxy's port."""
    behind: Running = request.getfixturevalue("app" if request.param == "service" else "inner")
    (location,) = blocks(read("docs/prefix.md"), "nginx")
    assert location.count("127.0.0.1:8000/") == 1
    with outer(tmp_path_factory.mktemp("outer"), location.replace(":8000/", f":{behind.port}/")) as running:
        yield running.port


def comparable(response: Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return the response without what differs between responses."""
    headers = [(name.lower(), value) for name, value in response.headers if name.lower() not in UNSAID]
    return response.status, sorted(headers), response.body


def everything(port: int, headers: dict[str, str]) -> list[Any]:
    """Return the responses at all URLs that a prefix would change."""
    asked = [("/", {}), ("/", HTML), ("/ui", {}), ("/ui/", {}), ("/openapi.json", {}), ("/openapi.yaml", {})]
    responses = [ask(port, "GET", path, headers={**headers, **more}) for path, more in asked]
    responses += [ask(port, "GET", "/items?limit=1", headers=headers), ask(port, "GET", "/nothing", headers=headers)]
    return [comparable(response) for response in responses]


def test_every_url_has_the_prefix(shop: int) -> None:
    """The URLs work for clients of the proxy."""
    assert [ask(shop, "GET", path, headers=HTML)["Location"] for path in ("/shop/", "/shop/ui")] == ["/shop/ui/"] * 2
    urls = {text for text in ask(shop, "GET", "/shop/").json().values() if text.startswith("/")}
    static = {path for path in PATHS if "{" not in path}
    assert {"/items", "/healthz", "/readyz"} <= static
    assert urls == {f"/shop{path}" for path in ("/ui/", "/openapi.json", *static)}
    assert {ask(shop, "GET", url).status for url in urls} == {200}
    sent = {"Content-Type": "application/json"}
    created = [ask(shop, "POST", "/shop/items", b'{"name": "Desk lamp"}', sent) for _ in range(2)]
    assert [response.status for response in created] == [201, 201]
    assert created[0]["Location"] == f"/shop/items/{created[0].json()['id']}"
    assert ask(shop, "GET", created[0]["Location"]).json() == created[0].json()
    links = re.findall("<([^>]*)>", ask(shop, "GET", "/shop/items?limit=1")["Link"])
    assert [link.partition("?")[0] for link in links] == ["/shop/items"] * 2
    assert {ask(shop, "GET", link).status for link in links} == {200}
    nothing = ask(shop, "GET", "/shop/nothing")
    assert (nothing.status, nothing.json()["detail"]) == (404, "There is nothing at /shop/nothing.")
    assert nothing.json()["type"] == "/shop/problems/not-found"
    assert b"<h1" in ask(shop, "GET", nothing.json()["type"]).body
    described = re.findall("<([^>]*)>", ask(shop, "GET", "/shop/")["Link"])
    assert {ask(shop, "GET", url).status for url in described} == {200}
    catalog = ask(shop, "GET", "/shop/.well-known/api-catalog").json()["linkset"][0]
    assert {ask(shop, "GET", target["href"]).status for target in catalog["service-desc"]} == {200}


@pytest.mark.parametrize(
    "problem", [b"GET /items HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 9000 + b"\r\n\r\n"], ids=["431"]
)
def test_a_problem_of_the_proxy_itself_has_a_page(inner: Running, problem: bytes) -> None:
    """Its type has no prefix, because nginx could not read the request."""
    response = send(inner.port, problem)
    assert response.json()["type"] == "/problems/request-header-fields-too-large"


@pytest.mark.parametrize("value", [b"/shop", *HOSTILE])
def test_the_prefix_in_a_problem_of_nginx_is_valid(inner: Running, value: bytes) -> None:
    """A valid prefix of a trusted proxy is in the type, and any other is not."""
    lines = b"TRACE /items HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-Prefix: %b\r\n\r\n"
    response = send(inner.port, lines % value)
    assert response.status == 405
    assert response.json()["type"] == f"{'/shop' if value == b'/shop' else ''}/problems/method-not-allowed"


def test_the_contract_has_the_prefix(shop: int) -> None:
    """Generated clients find the service."""
    json_form, yaml_form = (ask(shop, "GET", f"/shop/openapi.{form}") for form in ("json", "yaml"))
    assert json_form.json()["servers"] == [{"url": "/shop", "description": "Where this file was served from."}]
    assert b"\nservers:\n  - url: /shop\n" in yaml_form.body
    for path, response in (("/shop/openapi.json", json_form), ("/shop/openapi.yaml", yaml_form)):
        assert "X-Forwarded-Prefix" in response.all("Vary")
        assert ask(shop, "GET", path, headers={"If-None-Match": response["ETag"]}).status == 304


@pytest.mark.parametrize("theirs", ["/evil", "//evil.example", "/shop"])
def test_the_clients_own_prefix_is_ignored(shop: int, theirs: str) -> None:
    """The proxy replaces it."""
    response = ask(shop, "GET", "/shop/ui", headers={"X-Forwarded-Prefix": theirs})
    assert response["Location"] == "/shop/ui/"


@pytest.mark.parametrize("who", ["untrusting", "closed"])
def test_other_clients_are_not_trusted(who: str, request: pytest.FixtureRequest) -> None:
    """Gunicorn ignores the prefix of an untrusted client, and nginx does so without a trusted proxy."""
    port = request.getfixturevalue(who).port
    assert everything(port, SHOP) == everything(port, {})


@pytest.mark.parametrize("who", ["app", "inner"])
def test_this_machine_is_trusted(who: str, request: pytest.FixtureRequest) -> None:
    """Without this, the test above would prove nothing."""
    port = request.getfixturevalue(who).port
    changed = [one != other for one, other in zip(everything(port, SHOP), everything(port, {}), strict=True)]
    assert changed == [True, True, True, False, True, True, True, True]


@pytest.mark.parametrize(
    ("who", "value"), [*product(("app", "inner"), HOSTILE), ("app", TWICE)], ids=lambda part: repr(part)[:30]
)
def test_an_invalid_prefix_changes_nothing(who: str, value: bytes, request: pytest.FixtureRequest) -> None:
    """This also holds for a trusted proxy."""
    port = request.getfixturevalue(who).port
    lines = b"GET /ui HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n"
    plain = comparable(send(port, lines % b""))
    assert comparable(send(port, lines % (b"X-Forwarded-Prefix: " + value + b"\r\n"))) == plain
    assert dict(plain[1])["location"] == "/ui/"


def test_the_ui_works_below_the_prefix(shop: int, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The button "Execute" of `POST /items` shows 201, and all requests stay below the prefix."""
    with chrome.chromium(tmp_path) as browser:
        browser.get(f"http://127.0.0.1:{shop}/shop/")
        assert browser.current_url == f"http://127.0.0.1:{shop}/shop/ui/"
        shown = chrome.create(browser)
        chrome.keep(browser, f"ui-prefix-{request.node.callspec.id}")
        url = chrome.sent_to(browser, chrome.CREATE)
        links = browser.execute_script("return [...document.querySelectorAll('.info a')].map(({href}) => href)")
        sent = chrome.requests(browser)
        assert chrome.complaints(browser) == []
    assert url == f"http://127.0.0.1:{shop}/shop/items"
    served = [urlsplit(link).path for link in links if f":{shop}/" in link]
    assert {"/shop/openapi.json", "/shop/openapi.yaml", "/shop/ui/errors.html", "/shop/ui/http.html"} <= set(served)
    assert {ask(shop, "GET", path).status for path in served} == {200}
    assert ("POST", url) in sent
    assert [url for _, url in sent if not url.startswith(f"http://127.0.0.1:{shop}/shop/")] == []
    assert ask(shop, "GET", f"/shop/items/{shown['id']}").json() == shown

"""The documentation in Chromium over HTTPS, through nginx's TLS server: all requests stay on this origin."""

import base64
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app import static
from tests.e2e import browser as chrome
from tests.e2e.stack import service, tls_edge, wait_until


@pytest.fixture(scope="module", params=["service", "nginx"])
def tls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The origin, with the files of `/ui/` from the service and from nginx, and its certificate."""
    folder = tmp_path_factory.mktemp("https")
    if request.param == "nginx":
        static.write(folder / "edge" / "static")
    with service(folder) as app, tls_edge(folder, app.port) as (_, port, certificate):
        yield f"https://127.0.0.1:{port}", certificate


@pytest.fixture
def browser(tls: tuple[str, Path], tmp_path: Path) -> Iterator[Any]:
    """Chromium that trusts this one self-signed certificate, by its key."""
    command = ["openssl", "x509", "-in", str(tls[1]), "-noout", "-pubkey"]
    key = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    body = "".join(line for line in key.splitlines() if not line.startswith("-"))
    digest = base64.b64encode(hashlib.sha256(base64.b64decode(body)).digest()).decode()
    with chrome.chromium(tmp_path, f"--ignore-certificate-errors-spki-list={digest}") as driver:
        yield driver


def test_the_ui_works_over_https(browser: Any, tls: tuple[str, Path], request: pytest.FixtureRequest) -> None:
    """The button "Execute" of `POST /items` shows 201 over HTTP/2, all requests use HTTPS, and the console is empty."""
    origin, _ = tls
    browser.get(f"{origin}/")
    assert browser.current_url == f"{origin}/ui/"
    chrome.create(browser)
    chrome.keep(browser, f"ui-https-{request.node.callspec.id}")
    assert f"'{origin}/items'" in chrome.find(browser, f"{chrome.CREATE} .curl").text
    sent = chrome.requests(browser)
    assert ("POST", f"{origin}/items") in sent
    assert [url for _, url in sent if not url.startswith(f"{origin}/")] == []
    assert chrome.complaints(browser) == []
    spoken = "return [isSecureContext, performance.getEntriesByType('navigation')[0].nextHopProtocol]"
    assert browser.execute_script(spoken) == [True, "h2"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x.png", "https://other.example/x.png"])
def test_a_foreign_request_would_be_noticed(browser: Any, tls: tuple[str, Path], url: str) -> None:
    """The policy forbids it and the console reports it, so an empty console means that there was none."""
    browser.get(f"{tls[0]}/ui/")
    chrome.find(browser, chrome.CREATE)
    assert chrome.complaints(browser) == []
    browser.execute_script("new Image().src = arguments[0]", url)
    wait_until(lambda: "Content Security Policy" in str(chrome.complaints(browser)), "a complaint in the console")

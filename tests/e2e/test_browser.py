"""The documentation as people use it: headless Chromium on /ui, through the real nginx, and through the containers."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import VAR, ask, composed, edge, service

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.webdriver.chrome.service import Service  # noqa: E402  # it may not be there
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

SECONDS = 30
CREATE = "#operations-items-create_item"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1280,2000",
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """A fresh Chromium without a window, that keeps all its console says."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("Chromium is not installed (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'chromium'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(programs[1]))
    driver.set_page_load_timeout(SECONDS)
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The service and nginx on this machine: the port of nginx."""
    folder = tmp_path_factory.mktemp("host")
    with service(folder) as app, edge(folder / "edge", app.port) as nginx:
        yield nginx.port


@pytest.fixture(scope="module")
def containers() -> Iterator[int]:
    """The same in containers: the published port."""
    with composed() as stack:
        yield stack.port


@pytest.fixture(params=["host", "containers"])
def port(request: pytest.FixtureRequest) -> int:
    """The port to browse: on this machine, and then as docker-compose.yml runs it."""
    return int(request.getfixturevalue(request.param))


def look(browser: Any, width: int, height: int, scheme: str) -> None:
    """Have a window of this size, on a machine that prefers light or dark."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    preference = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", preference)


def find(browser: Any, selector: str) -> Any:
    """The element, as soon as it is there to be seen and used."""

    def usable(_: Any) -> Any:
        elements = browser.find_elements(By.CSS_SELECTOR, selector)
        return next((element for element in elements if element.is_displayed() and element.is_enabled()), None)

    return WebDriverWait(browser, SECONDS).until(usable, f"nothing to see at {selector}")


def press(browser: Any, selector: str) -> None:
    """Click it, in the middle of the window."""
    element = find(browser, selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def keep(browser: Any, name: str) -> None:
    """Keep a picture of the window."""
    VAR.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(VAR / f"{name}.png"))


def complaints(browser: Any) -> list[str]:
    """What the console has against the page: errors, and anything about the Content-Security-Policy."""
    return [
        f"{entry['level']}: {entry['message']}"
        for entry in browser.get_log("browser")
        if entry["level"] in {"SEVERE", "WARNING"} or "content security policy" in entry["message"].lower()
    ]


def test_an_item_is_created_from_the_documentation(browser: Any, port: int, request: pytest.FixtureRequest) -> None:
    """`POST /items`, "Execute": 201, the item is there, and nothing in the console."""
    where = request.node.callspec.params["port"]
    browser.get(f"http://127.0.0.1:{port}/")
    assert browser.current_url == f"http://127.0.0.1:{port}/ui/"
    press(browser, f"{CREATE} .opblock-summary")
    keep(browser, f"ui-{where}-opened")
    press(browser, f"{CREATE} .execute")
    status = find(browser, f"{CREATE} .live-responses-table tbody .response-col_status")
    browser.execute_script("arguments[0].scrollIntoView()", find(browser, CREATE))
    keep(browser, f"ui-{where}-created")
    assert status.text.split()[0] == "201"
    shown = json.loads(
        find(browser, f"{CREATE} .live-responses-table .response-col_description .highlight-code pre").text
    )
    assert ask(port, "GET", f"/items/{shown['id']}").json() == shown
    assert complaints(browser) == []


def test_the_console_is_heard(browser: Any, port: int) -> None:
    """A script that the policy forbids is not run, and shows up among the complaints: so no complaint means none."""
    browser.get(f"http://127.0.0.1:{port}/ui/")
    find(browser, CREATE)
    assert complaints(browser) == []
    inject = "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)"
    browser.execute_script(inject)
    assert browser.execute_script("return window.ran") is None
    (complaint,) = complaints(browser)
    assert "Content Security Policy" in complaint


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 1600), (390, 844)], ids=["desktop", "phone"])
def test_the_page_fits_the_window(browser: Any, host: int, width: int, height: int, scheme: str) -> None:
    """With every operation open and an answer shown, nothing is wider than the window; and it is dark where asked."""
    look(browser, width, height, scheme)
    browser.get(f"http://127.0.0.1:{host}/ui/")
    find(browser, CREATE)
    keep(browser, f"ui-{width}-{scheme}")
    for summary in browser.find_elements(By.CSS_SELECTOR, ".opblock-summary-control"):
        browser.execute_script("arguments[0].click()", summary)
    press(browser, f"{CREATE} .execute")
    find(browser, f"{CREATE} .live-responses-table tbody .response-col_status")
    browser.execute_script("arguments[0].scrollIntoView()", find(browser, CREATE))
    keep(browser, f"ui-{width}-{scheme}-opened")
    operations = browser.find_elements(By.CSS_SELECTOR, ".opblock")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".opblock.is-open")) == len(operations) > 0
    shown, window = browser.execute_script("return [document.scrollingElement.scrollWidth, innerWidth]")
    assert (window, shown <= window) == (width, True), f"{shown} px of {window} px"
    background = browser.execute_script("return getComputedStyle(document.documentElement).backgroundColor")
    assert background == ("rgb(28, 28, 28)" if scheme == "dark" else "rgba(0, 0, 0, 0)")


def test_every_operation_is_shown(browser: Any, port: int) -> None:
    """The page has all operations of the contract that is served, and no error box."""
    browser.get(f"http://127.0.0.1:{port}/ui/")
    find(browser, CREATE)
    shown = {element.get_attribute("id") for element in browser.find_elements(By.CSS_SELECTOR, ".opblock")}
    paths = ask(port, "GET", "/openapi.json").json()["paths"]
    operations = [operation for path in paths.values() for operation in path.values() if isinstance(operation, dict)]
    assert shown == {f"operations-{operation['tags'][0]}-{operation['operationId']}" for operation in operations}
    assert browser.find_elements(By.CSS_SELECTOR, ".errors-wrapper, .loading-container.failed-config") == []

"""Headless Chromium for the tests of the documentation page: clicks, screenshots, console and network."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.e2e.stack import SECONDS, VAR

CREATE = "#operations-items-create_item"
RESPONSE = ".live-responses-table"
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


@contextmanager
def chromium(folder: Path, *flags: str) -> Iterator[Any]:
    """Start a new headless Chromium that records its console and its network requests."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("Chromium is not installed (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    for flag in (*FLAGS, *flags, f"--user-data-dir={folder / 'chromium'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(programs[1]))
    driver.set_page_load_timeout(SECONDS)
    try:
        yield driver
    finally:
        driver.quit()


def look(browser: Any, width: int, height: int, scheme: str) -> None:
    """Set the size of the window, and whether the system prefers light or dark."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    preference = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", preference)


def find(browser: Any, selector: str) -> Any:
    """Wait until the element is visible and enabled, and return it."""

    def usable(_: Any) -> Any:
        elements = browser.find_elements(By.CSS_SELECTOR, selector)
        return next((element for element in elements if element.is_displayed() and element.is_enabled()), None)

    return WebDriverWait(browser, SECONDS).until(usable, f"nothing to see at {selector}")


def press(browser: Any, selector: str) -> None:
    """Scroll the element to the middle of the window and click it."""
    element = find(browser, selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def press_all(browser: Any, selector: str) -> None:
    """Click every element that the selector finds, until there are none left."""
    click = "const all = document.querySelectorAll(arguments[0]); all.forEach(one => one.click()); return all.length"
    for _ in range(100):
        if browser.execute_script(click, selector) == 0:
            return
    pytest.fail(f"there are ever more {selector}")


def open_all(browser: Any) -> None:
    """Open every operation with its successful response, every response of `POST /items`, and every schema shown.

    Swagger UI renders everything that is open again for each response that opens, so opening all of them takes minutes.
    """
    press_all(browser, ".opblock:not(.is-open) .opblock-summary-control")
    press_all(browser, f"{CREATE} .response-toggle[aria-expanded=false]")
    press_all(browser, ".model-box-control[aria-expanded=false]")


def sent_to(browser: Any, operation: str) -> str:
    """Return the URL in the command that the page shows for an executed operation."""
    match = re.search("'(http[^']+)'", find(browser, f"{operation} .curl").text)
    assert match is not None
    return match[1]


def keep(browser: Any, name: str) -> None:
    """Save a screenshot."""
    VAR.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(VAR / f"{name}.png"))


def requests(browser: Any) -> list[tuple[str, str]]:
    """Return the method and the URL of every request to any host since the last call."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event["params"]["request"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return [(request["method"], request["url"]) for request in sent if re.match("(http|ws)s?:", request["url"])]


def complaints(browser: Any) -> list[str]:
    """Return the errors in the console, and all messages about the Content-Security-Policy."""
    return [
        f"{entry['level']}: {entry['message']}"
        for entry in browser.get_log("browser")
        if entry["level"] in {"SEVERE", "WARNING"} or "content security policy" in entry["message"].lower()
    ]


def create(browser: Any) -> Any:
    """Execute `POST /items` on the current page, expect 201, and return the item that the page shows."""
    press(browser, f"{CREATE} .opblock-summary")
    press(browser, f"{CREATE} .execute")
    status = find(browser, f"{CREATE} {RESPONSE} tbody .response-col_status")
    browser.execute_script("arguments[0].scrollIntoView()", find(browser, CREATE))
    assert status.text.split()[0] == "201"
    return json.loads(find(browser, f"{CREATE} {RESPONSE} .response-col_description .highlight-code pre").text)

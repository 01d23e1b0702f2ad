"""A person at the documentation, in headless Chromium: what is clicked and seen, and what the console says."""

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

from tests.e2e.stack import VAR

SECONDS = 30
CREATE = "#operations-items-create_item"
ANSWER = ".live-responses-table"
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
def chromium(folder: Path) -> Iterator[Any]:
    """A fresh Chromium without a window, that keeps all its console says."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("Chromium is not installed (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    for flag in (*FLAGS, f"--user-data-dir={folder / 'chromium'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(programs[1]))
    driver.set_page_load_timeout(SECONDS)
    try:
        yield driver
    finally:
        driver.quit()


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


def press_all(browser: Any, selector: str) -> None:
    """Click everything that the selector finds, until there is nothing left to find."""
    click = "const all = document.querySelectorAll(arguments[0]); all.forEach(one => one.click()); return all.length"
    for _ in range(100):
        if browser.execute_script(click, selector) == 0:
            return
    pytest.fail(f"there are ever more {selector}")


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

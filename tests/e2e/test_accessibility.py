"""The documentation is accessible: axe-core finds no violations in any state of the page, in light and in dark."""

from typing import Any

import pytest

from app.documents import DOCUMENTS
from app.settings import ROOT
from tests.e2e.browser import CREATE, RESPONSE, complaints, find, keep, look, open_all, press, press_all

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
# Returns each violation with its location, and the number of texts whose contrast was measured.
RUN = """
    const done = arguments[0];
    axe.run(document, {resultTypes: ["violations", "passes"]}).then(({violations, passes}) => done({
      violations: violations.flatMap(({id, impact, nodes}) =>
        nodes.map(({target, html}) => `${id} (${impact}): ${target.join(" ")} ${html.slice(0, 120)}`)),
      texts: passes.filter(({id}) => id === "color-contrast").flatMap(({nodes}) => nodes).length,
    }));
"""
WINDOWS = {"desktop": (1280, 1600), "phone": (390, 844)}


def opened(browser: Any) -> None:
    """Everything is open, and an operation is executed."""
    open_all(browser)
    press(browser, f"{CREATE} .execute")
    find(browser, f"{CREATE} {RESPONSE}")


def schemas(browser: Any) -> None:
    """All schemas are shown, in the operations and below them."""
    press_all(browser, ".models:not(.is-open) .models-control")
    open_all(browser)
    press_all(browser, ".tabitem:not(.active) .tablinks[data-name=model]")
    press_all(browser, ".model-box-control[aria-expanded=false]")


def refused(browser: Any) -> None:
    """The request was refused, and the header's conventions are open."""
    press(browser, ".conventions summary")
    press(browser, f"{CREATE} .opblock-summary-control")
    find(browser, f"{CREATE} textarea").send_keys("x")
    press(browser, f"{CREATE} .execute")
    find(browser, f"{CREATE} {RESPONSE}")


def nothing_found(browser: Any) -> None:
    """The search finds nothing."""
    find(browser, ".search input").send_keys("nothing like this")
    find(browser, ".found")


STATES = {"as-loaded": lambda _: None, "opened": opened, "schemas": schemas, "refused": refused, "none": nothing_found}
TEXTS = {"as-loaded": 20, "opened": 100, "schemas": 200, "refused": 40, "none": 5}
"""For each state the least number of texts, so that the measurement is not of an empty page."""


@pytest.fixture
def axe(browser: Any) -> Any:
    """Run axe-core on the current page, and return what it finds."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed (make .venv-tools/ready)")
    browser.set_script_timeout(120)

    def run() -> Any:
        browser.execute_script(AXE.read_text(encoding="utf-8"))
        return browser.execute_async_script(RUN)

    return run


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_violations(browser: Any, axe: Any, host: int, state: str) -> None:
    """All rules of axe-core pass, including its best practices, in every window and in both colour schemes."""
    look(browser, *WINDOWS["desktop"], "light")
    browser.get(f"http://127.0.0.1:{host}/ui/")
    find(browser, CREATE)
    STATES[state](browser)
    for window, (width, height) in WINDOWS.items():
        for scheme in ("light", "dark"):
            look(browser, width, height, scheme)
            keep(browser, f"accessible-{window}-{scheme}-{state}")
            found = axe()
            assert found["violations"] == [], f"{window}, {scheme}"
            assert found["texts"] >= TEXTS[state], f"{window}, {scheme}"
    refusals = [complaint for complaint in complaints(browser) if "status of 400" in complaint]
    assert len(refusals) == (state == "refused")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_documents_are_accessible(browser: Any, axe: Any, host: int, name: str, scheme: str) -> None:
    """The same holds for the documents beside the page."""
    for window, (width, height) in WINDOWS.items():
        look(browser, width, height, scheme)
        browser.get(f"http://127.0.0.1:{host}/ui/{name}")
        found = axe()
        assert (found["violations"], found["texts"] > 20) == ([], True), window
    assert complaints(browser) == []


def test_the_measurement_notices_faint_text(browser: Any, axe: Any, host: int) -> None:
    """In dark mode as well, so no violations means something."""
    look(browser, *WINDOWS["desktop"], "dark")
    browser.get(f"http://127.0.0.1:{host}/ui/")
    find(browser, CREATE)
    browser.execute_script("document.documentElement.style.setProperty('--muted', '#404850')")
    assert any(violation.startswith("color-contrast") for violation in axe()["violations"])

"""The documentation page is accessible: axe-core finds no violations in any state of the page."""

import re
from collections.abc import Iterable
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from app.settings import ROOT
from tests.e2e.browser import CREATE, RESPONSE, complaints, find, keep, look, press, press_all

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
CONTRAST = "color-contrast"
# Returns each violation with its location, and for each text its colours, its required contrast and whether it is code.
RUN = """
    const done = arguments[0];
    axe.run(document, {resultTypes: ["violations", "passes"]}).then(({violations, passes}) => done({
      violations: violations.flatMap(({id, impact, nodes}) =>
        nodes.map(({target, html}) => `${id} (${impact}): ${target.join(" ")} ${html.slice(0, 120)}`)),
      texts: [...violations, ...passes].filter(({id}) => id === "color-contrast").flatMap(({nodes}) => nodes)
        .filter(({any: [{data}]}) => data?.fgColor && data?.bgColor)
        .map(({any: [{data}], target}) => [
          data.fgColor, data.bgColor, parseFloat(data.expectedContrastRatio),
          document.querySelector(target[0])?.closest(".microlight") !== null, target.join(" "),
        ]),
    }));
"""
WINDOWS = {"desktop": (1280, 1600), "phone": (390, 844)}


@pytest.fixture(params=["as-loaded", "opened"])
def page(request: pytest.FixtureRequest, browser: Any, host: int) -> str:
    """The page after loading, and with everything opened and an operation executed; the value is the state's name."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed (make .venv-tools/ready)")
    browser.set_script_timeout(120)
    look(browser, *WINDOWS["desktop"], "light")
    browser.get(f"http://127.0.0.1:{host}/ui/")
    find(browser, CREATE)
    if request.param == "opened":
        press_all(browser, ".opblock:not(.is-open) .opblock-summary-control")
        press_all(browser, ".model-box-control[aria-expanded=false]")
        press(browser, f"{CREATE} .execute")
        find(browser, f"{CREATE} {RESPONSE}")
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    return str(request.param)


def test_axe_finds_no_violations(browser: Any, page: str) -> None:
    """All rules of axe-core pass, including its best practices, at every window size."""
    for window, (width, height) in WINDOWS.items():
        look(browser, width, height, "light")
        keep(browser, f"accessible-{window}-{page}")
        found = browser.execute_async_script(RUN)
        assert found["violations"] == [], window
        assert len(found["texts"]) > (100 if page == "opened" else 20)
    assert complaints(browser) == []


def test_the_dark_page_has_enough_contrast(browser: Any, page: str) -> None:
    """axe-core does not see the filter of dark mode, so the contrast after the filter is computed here."""
    texts = browser.execute_async_script(RUN)["texts"]
    look(browser, *WINDOWS["desktop"], "dark")
    keep(browser, f"accessible-dark-{page}")
    outer = browser.find_element(By.CSS_SELECTOR, ".swagger-ui").value_of_css_property("filter")
    inner = re.search(r"\.microlight,[^{]*\{\s*filter: ([^;]+);", (ROOT / "app/ui/items.css").read_text("utf-8"))
    assert inner is not None
    faint: dict[str, str] = {}
    for ink, paper, wanted, code, where in texts:
        filters = [inner[1], outer] if code else [outer]
        ratio = contrast(filtered(ink, filters), filtered(paper, filters))
        if ratio < wanted:
            faint.setdefault(f"{ink} on {paper}: {ratio:.2f} of {wanted}", where)
    assert faint == {}
    found = browser.execute_async_script(RUN)["violations"]
    assert [violation for violation in found if not violation.startswith(CONTRAST)] == []


Colour = tuple[float, ...]
# https://www.w3.org/TR/filter-effects-1/#feColorMatrixElement, hueRotate by 180 degrees
HALF_TURN = ((-0.574, 1.43, 0.144), (0.426, 0.43, 0.144), (0.426, 1.43, -0.856))


def filtered(colour: str, filters: Iterable[str]) -> Colour:
    """Apply CSS filters of the form `invert(x) hue-rotate(180deg)` to a colour such as #1b6ac9."""
    now: Colour = tuple(int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    for text in filters:
        match = re.fullmatch(r"invert\(([\d.]+)\) hue-rotate\(180deg\)", text)
        assert match is not None, text
        amount = float(match[1])
        now = tuple(amount + part * (1 - 2 * amount) for part in now)
        now = tuple(min(1, max(0, sum(map(float.__mul__, row, now)))) for row in HALF_TURN)
    return now


def contrast(one: Colour, other: Colour) -> float:
    """Return WCAG 2.2's contrast ratio (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: Colour) -> float:
    """Return WCAG 2.2's relative luminance."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))

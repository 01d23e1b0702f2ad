"""The documentation in headless Chromium at /ui, through the real nginx and through the containers."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from selenium.webdriver.common.by import By

from tests.e2e.browser import CREATE, RESPONSE, complaints, find, keep, look, open_all, press, sent_to
from tests.e2e.stack import ask, service
from tests.resources import resources
from tests.support import SpecifiedOperation, operations, resolve, schema_errors


def test_an_item_is_created_from_the_documentation(browser: Any, port: int, request: pytest.FixtureRequest) -> None:
    """The button "Execute" of `POST /items` shows 201, the item exists, and the console is empty."""
    where = request.node.callspec.params["port"]
    browser.get(f"http://127.0.0.1:{port}/")
    assert browser.current_url == f"http://127.0.0.1:{port}/ui/"
    press(browser, f"{CREATE} .opblock-summary")
    keep(browser, f"ui-{where}-opened")
    press(browser, f"{CREATE} .execute")
    status = find(browser, f"{CREATE} {RESPONSE} tbody .response-col_status")
    browser.execute_script("arguments[0].scrollIntoView()", find(browser, CREATE))
    keep(browser, f"ui-{where}-created")
    assert status.text.split()[0] == "201"
    shown = json.loads(find(browser, f"{CREATE} {RESPONSE} .response-col_description .highlight-code pre").text)
    assert ask(port, "GET", f"/items/{shown['id']}").json() == shown
    assert complaints(browser) == []


def test_the_console_is_checked(browser: Any, port: int) -> None:
    """A script that the policy forbids does not run and is reported, so an empty console is meaningful."""
    browser.get(f"http://127.0.0.1:{port}/ui/")
    find(browser, CREATE)
    assert complaints(browser) == []
    inject = "const s = document.createElement('script'); s.append('window.ran = 1'); document.body.append(s)"
    browser.execute_script(inject)
    assert browser.execute_script("return window.ran") is None
    assert "requires 'TrustedScript'" in complaints(browser)[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 1600), (390, 844)], ids=["desktop", "phone"])
def test_the_page_fits_the_window(browser: Any, host: int, width: int, height: int, scheme: str) -> None:
    """With everything opened, nothing is wider than the window, and dark mode is dark."""
    look(browser, width, height, scheme)
    browser.get(f"http://127.0.0.1:{host}/ui/")
    find(browser, CREATE)
    keep(browser, f"ui-{width}-{scheme}")
    open_all(browser)
    press(browser, f"{CREATE} .execute")
    find(browser, f"{CREATE} {RESPONSE} tbody .response-col_status")
    browser.execute_script("arguments[0].scrollIntoView()", find(browser, CREATE))
    keep(browser, f"ui-{width}-{scheme}-opened")
    operations = browser.find_elements(By.CSS_SELECTOR, ".opblock")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".opblock.is-open")) == len(operations) > 0
    shown, window = browser.execute_script("return [document.scrollingElement.scrollWidth, innerWidth]")
    assert (window, shown <= window) == (width, True), f"{shown} px of {window} px"
    background = browser.execute_script("return getComputedStyle(document.documentElement).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(15, 20, 25)"}[scheme]


def test_every_operation_is_shown(browser: Any, port: int) -> None:
    """The page has all operations of the served contract, and no error box."""
    browser.get(f"http://127.0.0.1:{port}/ui/")
    find(browser, CREATE)
    shown = {element.get_attribute("id") for element in browser.find_elements(By.CSS_SELECTOR, ".opblock")}
    paths = ask(port, "GET", "/openapi.json").json()["paths"]
    operations = [operation for path in paths.values() for operation in path.values() if isinstance(operation, dict)]
    assert shown == {f"operations-{operation['tags'][0]}-{operation['operationId']}" for operation in operations}
    assert browser.find_elements(By.CSS_SELECTOR, ".errors-wrapper, .loading-container.failed-config") == []


def fill(port: int) -> None:
    """Create one of everything that can be created, so that the examples work in a new database."""
    for operation in operations():
        if operation.method == "POST":
            (media_type, content), *_ = operation.definition["requestBody"]["content"].items()
            body = json.dumps(resolve(next(iter(content["examples"].values())))["value"]).encode()
            assert ask(port, "POST", operation.path, body, {"Content-Type": media_type}).status == 201


def fill_in(browser: Any, shown: str, operation: SpecifiedOperation) -> list[str]:
    """Set every optional parameter of an operation to its example, and return the examples."""
    parameters = [resolve(parameter) for parameter in operation.definition.get("parameters", [])]
    optional = {parameter["name"]: str(parameter["example"]) for parameter in parameters if "required" not in parameter}
    for name, value in optional.items():
        field = find(browser, f'{shown} tr[data-param-name="{name}"] :is(input, select)')
        assert field.get_attribute("value") == ""
        field.send_keys(value)
    return list(optional.values())


def shown_response(browser: Any, shown: str) -> tuple[int, Any]:
    """Return the status and the body, if any, of the response that the page shows."""
    status = find(browser, f"{shown} {RESPONSE} tbody .response-col_status").text.split()[0]
    bodies = browser.find_elements(By.CSS_SELECTOR, f"{shown} {RESPONSE} .response-col_description .highlight-code pre")
    return int(status), [json.loads(body.text) for body in bodies]


REFERENCED = {table for resource in resources().values() for table in resource.references}
"""The resources that others refer to: a row that is in use cannot be deleted."""


@pytest.mark.parametrize("filled", [False, True], ids=["as-it-is", "filled-in"])
def test_every_operation_can_be_tried_out(browser: Any, tmp_path: Path, *, filled: bool) -> None:
    """Each operation succeeds unchanged, and has a documented status with the examples of its optional parameters."""
    with service(tmp_path) as app:
        fill(app.port)
        browser.get(f"http://127.0.0.1:{app.port}/ui/")
        for operation in sorted(operations(), key=lambda operation: operation.method == "DELETE"):  # the last of all
            shown = f"#operations-{operation.definition['tags'][0]}-{operation}"
            press(browser, f"{shown} .opblock-summary-control")
            values = fill_in(browser, shown, operation) if filled else []
            press(browser, f"{shown} .execute")
            status, bodies = shown_response(browser, shown)
            command = unquote(find(browser, f"{shown} .curl").text)
            assert [value for value in values if value not in command] == [], command
            response = operation.response(status)
            assert response is not None, f"{operation}: {status}"
            can_be_used = operation.method == "DELETE" and operation.path.split("/")[1] in REFERENCED
            expected = {min(operation.definition["responses"])} | ({"409"} if can_be_used else set())
            assert filled or str(status) in expected, operation
            contents = list(response.get("content", {}).values())
            assert len(bodies) == len(contents), operation
            for body, content in zip(bodies, contents, strict=True):
                assert schema_errors(content["schema"], body) == [], operation
                if operation.method == "GET" and not filled:
                    path = urlsplit(sent_to(browser, shown)).path
                    assert ask(app.port, "GET", path).json() == body
            press(browser, f"{shown} .opblock-summary-control")
        statuses = [412] * filled + [409] * bool(REFERENCED)
        refused = [f"Failed to load resource: the server responded with a status of {status}" for status in statuses]
        assert [complaint for complaint in complaints(browser) if not any(text in complaint for text in refused)] == []

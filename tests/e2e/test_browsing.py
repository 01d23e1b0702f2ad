"""What a newcomer meets at /ui: operations first, a search that finds, parameters that say their values, and curl."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.e2e.browser import CREATE, RESPONSE, complaints, find, keep, look, open_all, press
from tests.e2e.stack import ROOT, SECONDS, ask
from tests.support import SpecifiedOperation, operations, resolve

WINDOWS = {"desktop": (1400, 900), "phone": (390, 844)}
FIRST_OPERATION = 300
OPENED = 2500
HEIGHT = "return document.querySelector(arguments[0]).getBoundingClientRect().height"
each_window = pytest.mark.parametrize("window", WINDOWS)


def shown(operation: SpecifiedOperation) -> str:
    """Return the selector of an operation."""
    return f"#operations-{operation.definition['tags'][0]}-{operation}"


@pytest.fixture
def page(browser: Any, host: int) -> Callable[[str], Any]:
    """Load the page in a window of this size, and return the browser."""

    def load(window: str) -> Any:
        look(browser, *WINDOWS[window], "light")
        browser.get(f"http://127.0.0.1:{host}/ui/")
        find(browser, CREATE)
        return browser

    return load


@each_window
def test_operations_come_first(page: Callable[[str], Any], window: str) -> None:
    """The first operation begins above y = 300, and each POST is less than 2,500 px tall before "Execute"."""
    browser = page(window)
    top = browser.execute_script("return document.querySelector('.opblock').getBoundingClientRect().top")
    keep(browser, f"ui-{window}-first")
    heights: dict[str, float] = {}
    for operation in operations():
        press(browser, f"{shown(operation)} .opblock-summary-control")
        find(browser, f"{shown(operation)} .execute")
        heights[str(operation)] = browser.execute_script(HEIGHT, shown(operation))
    print(f"{window}: the first operation begins at y = {top:.0f}; heights: {heights}")
    assert top < FIRST_OPERATION
    tall = {str(operation) for operation in operations() if heights[str(operation)] >= OPENED}
    assert [operation for operation in operations() if operation.method == "POST" and str(operation) in tall] == []


def test_the_header_says_what_this_is(page: Callable[[str], Any], host: int) -> None:
    """It has the name, the version, one sentence, and links that work; no link leads to a made-up host."""
    browser = page("desktop")
    contract = ask(host, "GET", "/openapi.json").json()
    info = contract["info"]
    assert find(browser, ".info .title").text == info["title"]
    assert find(browser, ".info .version").text == info["version"]
    sentence = find(browser, ".info .description").text
    assert sentence.count(".") == 1
    assert sentence == info["description"].replace("*", "").splitlines()[0]
    links = {link.text: link.get_attribute("href") for link in browser.find_elements(By.CSS_SELECTOR, ".info a")}
    named = [contract["externalDocs"], *(tag["externalDocs"] for tag in contract["tags"] if "externalDocs" in tag)]
    assert {*(document["description"] for document in named), "openapi.json", "openapi.yaml"} <= set(links)
    origin = f"http://127.0.0.1:{host}/"
    served = [url.removeprefix(origin) for url in links.values() if url.startswith(origin)]
    assert {ask(host, "GET", f"/{path}").status for path in served} == {200}
    assert len(served) >= 4
    open_all(browser)
    everywhere = browser.execute_script("return [...document.links].map(({href}) => href)")
    assert [url for url in everywhere if re.search(r"example\.(com|org|net)|\.example\b", url)] == []


def test_the_header_shows_whether_the_service_is_ready(page: Callable[[str], Any]) -> None:
    """It is checked again when the page becomes visible."""
    browser = page("desktop")
    find(browser, ".health.up")
    assert find(browser, ".health").text == "Ready"
    offline = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    browser.execute_script("document.dispatchEvent(new Event('visibilitychange'))")
    assert find(browser, ".health.down").text == "Unreachable"
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline | {"offline": False})
    browser.execute_script("document.dispatchEvent(new Event('visibilitychange'))")
    assert find(browser, ".health.up").text == "Ready"


def search(browser: Any, phrase: str) -> set[str]:
    """Search for a phrase, and return the operations that are shown then."""
    field = find(browser, ".search input")
    field.send_keys(Keys.CONTROL, "a", Keys.NULL, phrase)
    return {element.get_attribute("id") for element in browser.find_elements(By.CSS_SELECTOR, ".opblock")}


def test_the_search_finds_operations(page: Callable[[str], Any]) -> None:
    """By path, summary, operationId and tag, in any case, and with every word."""
    browser = page("desktop")
    fields = {
        shown(operation)[1:]: "\n".join(
            [operation.definition["tags"][0], operation.path, operation.definition["summary"], str(operation)]
        ).lower()
        for operation in operations()
    }
    phrases = {field for text in fields.values() for field in text.split("\n")}
    for phrase in sorted(phrases | {"CREATE", "create ITEM", "delete  items", "item_id", "al"}):
        expected = {name for name, text in fields.items() if all(word in text for word in phrase.lower().split())}
        found = search(browser, phrase)
        assert expected <= found, phrase
        methods = {"get", "post", "put", "patch", "delete"}  # a word can also be a method
        assert found == expected or methods & set(phrase.lower().split()), phrase
        assert find(browser, ".found").text == (f"{len(found)} operations" if len(found) > 1 else "1 operation")
    assert search(browser, "create_item") == {CREATE[1:]}
    keep(browser, "ui-search")
    assert complaints(browser) == []


def test_a_search_without_a_hit_says_so(page: Callable[[str], Any]) -> None:
    """And a button leads back to all operations."""
    browser = page("phone")
    assert search(browser, "nonsense") == set()
    assert find(browser, ".found").text == "No operation matches “nonsense”."
    assert "No operations defined" not in find(browser, "body").text
    keep(browser, "ui-search-nothing")
    press(browser, ".found + .btn")
    find(browser, CREATE)
    assert find(browser, ".search input").get_attribute("value") == ""


def limits(schema: dict[str, Any]) -> set[str]:
    """Return the values that the page must show for a parameter."""
    names = ("default", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
    values = [schema[name] for name in names if name in schema] + schema.get("enum", [])
    return {value if isinstance(value, str) else json.dumps(value) for value in values}


@each_window
def test_parameters_show_their_values(page: Callable[[str], Any], window: str) -> None:
    """Default, range, lengths and allowed values are in the text of each parameter."""
    browser = page(window)
    open_all(browser)
    checked = 0
    for operation in operations():
        for parameter in map(resolve, operation.definition.get("parameters", [])):
            row = find(browser, f"{shown(operation)} tr[data-param-name='{parameter['name']}']")
            values = limits(resolve(parameter["schema"]))
            missing = [value for value in values if not re.search(rf"(?<![\w-]){re.escape(value)}(?![\w-])", row.text)]
            assert missing == [], f"{operation} {parameter['name']}: {row.text}"
            checked += 1
    limit = find(browser, "#operations-items-list_items tr[data-param-name='limit']").text
    assert ("Default: 50" in limit, "1 to 100" in limit, checked > 5) == (True, True, True)
    keep(browser, f"ui-{window}-parameters")


# Returns the pairs of a type and a neighbour that overlap or have less than four pixels between them.
TOUCHING = """
    const box = (element) => {
      const range = document.createRange();
      range.selectNodeContents(element);
      return range.getBoundingClientRect();
    };
    const pairs = [
      ...[...document.querySelectorAll(".prop-type")].flatMap(type =>
        [...type.parentElement.children].filter(other => other !== type && !other.contains(type))
          .map(other => [type, other])),
      ...[...document.querySelectorAll("table.headers tbody tr")].flatMap(({cells: [name, text, type]}) =>
        [[type, text], [name, text]]),
      ...[...document.querySelectorAll(".parameters-col_name")].map(cell => [cell, cell.nextElementSibling]),
    ].filter(pair => pair.every(element => element?.textContent && element.checkVisibility()));
    window.pairs = pairs.length;
    return pairs.filter(([one, other]) => {
      const [a, b] = [box(one), box(other)];
      const isBeside = a.bottom > b.top + 4 && b.bottom > a.top + 4;
      return isBeside && a.right + 4 > b.left && b.right + 4 > a.left;
    }).map(pair => pair.map(element => element.textContent));
"""


@each_window
def test_types_do_not_touch_descriptions(page: Callable[[str], Any], window: str) -> None:
    """There is space between them in schemas, headers and parameters."""
    browser = page(window)
    open_all(browser)
    browser.execute_script("document.querySelectorAll('.tablinks[data-name=model]').forEach(tab => tab.click())")
    open_all(browser)
    assert browser.execute_script(TOUCHING) == []
    assert browser.execute_script("return window.pairs") > 50
    keep(browser, f"ui-{window}-schemas")


@each_window
def test_buttons_do_not_cover_a_response(page: Callable[[str], Any], window: str) -> None:
    """The buttons are below it, and "Download" can be used with the keyboard."""
    browser = page(window)
    press(browser, f"{CREATE} .opblock-summary-control")
    press(browser, f"{CREATE} .execute")
    body = find(browser, f"{CREATE} {RESPONSE} .highlight-code pre").rect
    for name in (".download-contents", ".copy-to-clipboard"):
        button = find(browser, f"{CREATE} {RESPONSE} .highlight-code {name}")
        assert button.rect["y"] >= body["y"] + body["height"], name
        assert button.rect["width"] > 20
    download = find(browser, f"{CREATE} .download-contents")
    assert (download.aria_role, download.get_attribute("tabindex")) == ("button", "0")


NASTY = {
    "name": 'It\'s `$HOME` "and" \\ $(exit 1) !! 100% {a,b}[1-3] @x',
    "description": "-d ; é 日本 😀 'quoted' '' \n\tsecond line \\n",
}


# Sets the text of a field as if it were typed; the driver cannot type characters such as 😀.
TYPE = """
    const [field, text] = arguments;
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(field, text);
    field.dispatchEvent(new Event("input", {bubbles: true}));
"""


PERMISSIONS = ["clipboardReadWrite", "clipboardSanitizedWrite"]


def run_in_bash(command: str) -> Any:
    """Run a command as pasted into a terminal, and return the JSON that it prints."""
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    return json.loads(ran.stdout) if ran.stdout else None


def test_copy_as_curl_gives_a_command_that_runs(page: Callable[[str], Any], host: int) -> None:
    """It sends exactly what the page has sent, also with quotes, backslashes and line breaks in the body."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed (apt-get install curl)")
    browser = page("desktop")
    permission = {"permissions": PERMISSIONS, "origin": f"http://127.0.0.1:{host}"}
    browser.execute_cdp_cmd("Browser.grantPermissions", permission)
    press(browser, f"{CREATE} .opblock-summary-control")
    for body in (None, NASTY):
        if body:
            text = json.dumps(body, ensure_ascii=False, indent=1)
            browser.execute_script(TYPE, find(browser, f"{CREATE} textarea"), text)
        press(browser, f"{CREATE} .execute")
        find(browser, f"{CREATE} {RESPONSE}")
        press(browser, f"{CREATE} .copy-curl")
        WebDriverWait(browser, SECONDS).until(lambda _: find(browser, f"{CREATE} .copy-curl").text == "Copied")
        command = find(browser, f"{CREATE} .curl").text
        copied = browser.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
        assert copied == command
        created = run_in_bash(command)
        sent = body or json.loads(find(browser, f"{CREATE} textarea").get_attribute("value"))
        assert {name: created[name] for name in sent} == sent
        assert ask(host, "GET", f"/items/{created['id']}").json() == created
        press(browser, f"{CREATE} .btn-clear")  # the command of the next request is a new one


def test_every_command_runs(page: Callable[[str], Any]) -> None:
    """The command of each operation gets the status that the page shows, with the examples of its parameters."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed (apt-get install curl)")
    browser = page("desktop")
    for operation in operations():
        press(browser, f"{shown(operation)} .opblock-summary-control")
        for parameter in map(resolve, operation.definition.get("parameters", [])):
            if parameter["in"] == "header":
                row = f"{shown(operation)} tr[data-param-name='{parameter['name']}']"
                find(browser, f"{row} input").send_keys('"a","it\'s"')
        press(browser, f"{shown(operation)} .execute")
        status = find(browser, f"{shown(operation)} {RESPONSE} tbody .response-col_status").text.split()[0]
        command = find(browser, f"{shown(operation)} .curl").text
        only_status = command.replace("curl ", "curl -s -o /dev/null -w '%{http_code}' ", 1)
        assert run_in_bash(only_status) == int(status), operation
        press(browser, f"{shown(operation)} .opblock-summary-control")


def test_the_picture_in_the_documents(page: Callable[[str], Any]) -> None:
    """`docs/ui.png` is small. After a change of the page, replace it with the picture that this test takes."""
    browser = page("desktop")
    look(browser, 1120, 760, "light")
    press(browser, f"{CREATE} .opblock-summary-control")
    find(browser, ".health.up")
    browser.execute_script("scrollTo(0, 0); document.activeElement.blur()")
    keep(browser, "ui")
    size = len((ROOT / "docs" / "ui.png").read_bytes())
    assert 10_000 < size < 150_000, f"{size} bytes"

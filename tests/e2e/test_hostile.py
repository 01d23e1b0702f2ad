"""No hostile text in contracts, responses, URLs or items runs a script in the documentation page.

Two defences are tested separately: `markdown.js` rebuilds Markdown from a list of allowed elements, and the
Content-Security-Policy allows only scripts from files of this service.
"""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flask
import pytest
from selenium.webdriver.common.keys import Keys
from werkzeug.serving import make_server

from app.pages import CONTENT_SECURITY_POLICY, add_pages
from tests.e2e.browser import CREATE, RESPONSE, complaints, find, keep, press, press_all
from tests.e2e.stack import post

READ = "#operations-items-get_item"
RUN = "top.ran=1"
RUNS_BY_ITSELF = {
    "script": f"<script>{RUN}</script>",
    "image": f'<img src="data:," onerror="{RUN}">',
    "image-with-slashes": f'<img/src="data:,"/onerror={RUN}>',
    "svg": f'<svg onload="{RUN}"></svg>',
    "svg-script": f"<svg><script>{RUN}</script></svg>",
    "svg-animation": f'<svg><animate onbegin="{RUN}" attributeName="x" dur="1s"></animate></svg>',
    "svg-foreign": f'<svg><foreignObject><img src="data:," onerror="{RUN}"></foreignObject></svg>',
    "mathml": f'<math><mtext><img src="data:," onerror="{RUN}"></mtext></math>',
    "frame": f'<iframe srcdoc="&lt;script&gt;{RUN}&lt;/script&gt;"></iframe>',
    "frame-javascript": f'<iframe src="javascript:{RUN}"></iframe>',
    "video": f'<video><source src="data:," onerror="{RUN}"></video>',
    "details": f'<details open ontoggle="{RUN}">hostile</details>',
    "input": f'<input autofocus onfocus="{RUN}">',
    "animation": f'<style>@keyframes go {{}}</style><b style="animation: go 1s" onanimationstart="{RUN}">hostile</b>',
    "nesting": f'{"<div>" * 600}<img src="data:," onerror="{RUN}">{"</div>" * 600}',
}
RUNS_OTHERWISE = (
    f'<a href="javascript:{RUN}">hostile</a>',
    f'<a href=" &#106;ava\tscript:{RUN}">hostile</a>',
    f'<a href="data:text/html,<script>{RUN}</script>">hostile</a>',
    f'<b onclick="{RUN}" onmouseover="{RUN}" style="position: fixed; inset: 0">hostile</b>',
    f'<svg><a href="javascript:{RUN}" xlink:href="javascript:{RUN}"><text>hostile</text></a></svg>',
    f'<math href="javascript:{RUN}">hostile</math>',
    f'<form action="javascript:{RUN}"><button formaction="javascript:{RUN}">hostile</button></form>',
    f'<object data="javascript:{RUN}"></object><embed src="javascript:{RUN}">',
    f"<template><script>{RUN}</script></template>",
    f'<noscript><p title="</noscript><img src=data: onerror={RUN}>"></noscript>',
    f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=data: onerror={RUN}&gt;">',
    f'<svg><title><a id="</title><img src=data: onerror={RUN}>"></a></title>',
    f'<svg><style><a id="</style><img src=data: onerror={RUN}>">',
    '<base href="https://hostile.example/"><link rel="stylesheet" href="https://hostile.example/">',
    '<meta http-equiv="refresh" content="0; url=https://hostile.example/"><style>* { display: none }</style>',
    '<p id="swagger-ui" name="getElementById" class="swagger-ui">hostile</p>',
    f"[hostile](javascript:{RUN})",
    f"[hostile](JaVaScRiPt:{RUN})",
    f"[hostile](&#106;avascript:{RUN})",
    f"[hostile](data:text/html,<script>{RUN}</script>)",
    f"![hostile](javascript:{RUN})",
    f'![hostile" onerror="{RUN}](data:, "hostile&quot; onerror=&quot;{RUN}")',
    f"[hostile][1]\n\n[1]: javascript:{RUN}",
    f"<javascript:{RUN}>",
    f'| hostile |\n|---|\n| <img src="data:," onerror="{RUN}"> |',
    f"`<script>{RUN}</script>`",
    "[hostile](http://[)",
)
TEXTS = [*RUNS_BY_ITSELF.values(), *RUNS_OTHERWISE]
MARKDOWN = "\n\n".join(["Hostile text.", *TEXTS])
SCRIPT_URL = f"javascript:{RUN}"
IMAGE = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{RUN}"><script>{RUN}</script></svg>'
RESPONSE_TEXT = "\n".join(RUNS_BY_ITSELF[name] for name in ("script", "image", "svg", "frame"))
RESPONSES = {
    "application/json": json.dumps({"hostile": RESPONSE_TEXT, "__proto__": {"ran": 1}}),
    "application/problem+json": json.dumps({"detail": RESPONSE_TEXT}),
    "text/html": f"<!DOCTYPE html><html><body>{RESPONSE_TEXT}</body></html>",
    "text/plain": RESPONSE_TEXT,
    "text/csv": RESPONSE_TEXT,
    "application/xml": f"<hostile>{IMAGE}</hostile>",
    "image/svg+xml": IMAGE,
    "image/png": IMAGE,
    "audio/wav": IMAGE,
    "application/octet-stream": IMAGE,
}
HEADERS = {
    "Link": f'<{SCRIPT_URL}>; rel="next", <img src="data:," onerror="{RUN}">; rel="first"',
    "Location": SCRIPT_URL,
    "X-Hostile": RUNS_BY_ITSELF["image"],
}
# Finds scripts in the page: in attributes, in elements and in the targets of links.
SUSPECTS = """
    const elements = "base, embed, frame, iframe, link, math, meta, object, script, style, template";
    const suspects = [...document.querySelectorAll("body *")].filter(element =>
      element.getAttributeNames().some(name => /^(on.*|srcdoc|formaction)$/i.test(name))
      || (element.matches(elements) && element.parentElement !== document.body)
      || [element.href, element.src, element.action].some(url =>
        /^\\W*(javascript|data:text|vbscript)/i.test(url?.baseVal ?? url ?? ""))
      || (element.closest(".markdown, .renderedMarkdown") && (element.id || element.hasAttribute("style")))
    );
    return suspects.map(element => element.outerHTML.slice(0, 200));
"""
# Calls back when a new image has failed to load; all earlier images have failed by then.
SETTLED = """
    const done = arguments[0], image = new Image();
    image.onerror = () => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)));
    image.src = "data:,";
"""
each_policy = pytest.mark.parametrize("policy", [None, CONTENT_SECURITY_POLICY], ids=["without-policy", "with-policy"])


def contract() -> dict[str, Any]:
    """Return a contract with hostile text in every possible field."""
    image = RUNS_BY_ITSELF["image"]
    schema = {
        "type": "object",
        "title": image,
        "description": MARKDOWN,
        "externalDocs": {"description": MARKDOWN, "url": SCRIPT_URL},
        "properties": {
            image: {"type": "string", "description": MARKDOWN, "example": image, "pattern": image, "enum": [image]}
        },
        "example": {image: MARKDOWN},
    }
    parameters = [
        {"name": name, "in": where, "description": MARKDOWN, "schema": {"type": "string", "default": image}, **example}
        for name, where, example in (
            (image, "query", {"example": image}),
            ("X-Hostile", "header", {"examples": {image: {"summary": image, "description": MARKDOWN, "value": image}}}),
        )
    ]
    described = {"tags": [image], "summary": image, "externalDocs": {"description": MARKDOWN, "url": SCRIPT_URL}}
    write = {
        **described,
        "operationId": "write",
        "description": MARKDOWN,
        "parameters": parameters,
        "servers": [{"url": SCRIPT_URL, "description": MARKDOWN}],
        "requestBody": {
            "description": MARKDOWN,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Hostile"}}},
        },
        "responses": {
            "200": {
                "description": MARKDOWN,
                "headers": {"X-Hostile": {"description": MARKDOWN, "schema": {"type": "string", "example": image}}},
                "content": {image: {"schema": schema, "example": MARKDOWN}},
                "links": {image: {"operationId": "read", "description": MARKDOWN, "parameters": {image: image}}},
            },
            **{str(400 + number): {"description": text} for number, text in enumerate(TEXTS)},
        },
        "callbacks": {image: {"{$request.body#/url}": {"post": {**described, "responses": {}}}}},
    }
    responses = {
        f"/responses/{number}": {
            "get": {
                **described,
                "operationId": f"response{number}",
                "responses": {"200": {"description": image, "content": {media_type: {}}}},
            }
        }
        for number, media_type in enumerate(RESPONSES)
    }
    flow = {
        "authorizationUrl": SCRIPT_URL,
        "tokenUrl": SCRIPT_URL,
        "refreshUrl": SCRIPT_URL,
        "scopes": {image: MARKDOWN},
    }
    return {
        "openapi": "3.0.3",
        "info": {
            "title": image,
            "version": image,
            "description": MARKDOWN,
            "termsOfService": SCRIPT_URL,
            "contact": {"name": image, "url": SCRIPT_URL, "email": f'"{image}"@hostile.example'},
            "license": {"name": image, "url": SCRIPT_URL},
        },
        "externalDocs": {"description": MARKDOWN, "url": SCRIPT_URL},
        "servers": [
            {"url": "/", "description": MARKDOWN},
            {"url": f"{SCRIPT_URL}/{{v}}", "variables": {"v": {"default": image, "description": MARKDOWN}}},
        ],
        "tags": [
            {"name": image, "description": MARKDOWN, "externalDocs": {"description": MARKDOWN, "url": SCRIPT_URL}}
        ],
        "paths": {f"/{image}": {"summary": image, "description": MARKDOWN, "post": write}, **responses},
        "components": {
            "schemas": {"Hostile": schema, image: schema},
            "securitySchemes": {
                image: {"type": "oauth2", "description": MARKDOWN, "flows": {"implicit": flow}},
                "key": {"type": "apiKey", "in": "header", "name": image, "description": MARKDOWN},
            },
        },
    }


@contextmanager
def site(policy: str | None) -> Iterator[str]:
    """Serve the documentation of a hostile contract, hostile responses, and uncleaned HTML at /markup/."""
    pages = flask.Flask("hostile")
    add_pages(pages, b"", contract())

    @pages.get("/markup/<name>")
    def markup(name: str) -> flask.Response:
        return flask.Response(f'<!DOCTYPE html><link rel="icon" href="data:,">{RUNS_BY_ITSELF[name]}')

    @pages.get("/responses/<int:number>")
    def response(number: int) -> flask.Response:
        media_type = list(RESPONSES)[number]
        response = flask.Response(RESPONSES[media_type], headers=HEADERS, content_type=media_type)
        if media_type == "application/octet-stream":  # Swagger UI then offers a download
            response.headers["Content-Disposition"] = f'attachment; filename="<img src=x onerror={RUN}>.html"'
        return response

    @pages.after_request
    def set_policy(response: flask.Response) -> flask.Response:
        response.headers.pop("Content-Security-Policy", None)
        if policy:
            response.headers["Content-Security-Policy"] = policy
        return response

    server = make_server("127.0.0.1", 0, pages, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ran(browser: Any) -> bool:
    """Return whether a hostile script has run, after waiting for everything that runs by itself."""
    browser.execute_async_script(SETTLED)
    return bool(browser.execute_script("return window.ran || ({}).ran"))


@each_policy
def test_the_policy_alone_stops_scripts(browser: Any, policy: str | None) -> None:
    """Without the policy the scripts run, so the texts of the other tests are really hostile."""
    with site(policy) as url:
        for name in RUNS_BY_ITSELF:
            browser.get(f"{url}/markup/{name}")
            assert ran(browser) == (policy is None), name


@each_policy
def test_a_hostile_contract_runs_no_script(browser: Any, policy: str | None) -> None:
    """Everything is opened, and even without the policy no script runs, so the cleaning alone is sufficient."""
    with site(policy) as url:
        browser.get(f"{url}/ui/#/{RUNS_BY_ITSELF['image']}/write")
        find(browser, ".opblock-tag")
        press_all(browser, ".opblock:not(.is-open) .opblock-summary-control, .models:not(.is-open) .models-control")
        press_all(browser, ".response-toggle[aria-expanded=false]")
        press_all(browser, ".model-box-control[aria-expanded=false]")
        press_all(browser, ".opblock-post .tabitem:not(.active) .tablinks[data-name=model]")
        press_all(browser, ".model-box-control[aria-expanded=false]")
        press(browser, ".btn.authorize")
        press(browser, ".modal-ux .auth-btn-wrapper .authorize")
        assert browser.execute_script(SUSPECTS) == []
        keep(browser, f"hostile-{'with' if policy else 'without'}-policy")
        assert len(browser.find_elements("css selector", ".renderedMarkdown")) > len(TEXTS)
        assert "Hostile text." in find(browser, ".info .description").text
        assert not ran(browser)
        found = complaints(browser)
        browser.switch_to.window(browser.window_handles[-1])  # close the "Authorize" dialog
        assert browser.current_url.startswith("about:blank")
    # Chromium also reports scripts in the document that DOMPurify parses into, where nothing runs.
    inert = "swagger-ui-bundle.js", "inline event handler", "inline style"
    assert [complaint for complaint in found if not any(word in complaint for word in inert)] == []
    assert bool(found) == (policy is not None)


@each_policy
def test_a_hostile_response_runs_no_script(browser: Any, policy: str | None) -> None:
    """This holds for every media type and all headers."""
    with site(policy) as url:
        browser.get(f"{url}/ui/")
        for number, media_type in enumerate(RESPONSES):
            operation = f".opblock[id$='-response{number}']"
            press(browser, f"{operation} .opblock-summary-control")
            press(browser, f"{operation} .execute")
            assert RUNS_BY_ITSELF["image"] in find(browser, f"{operation} {RESPONSE}").text, media_type
            assert browser.execute_script(SUSPECTS) == [], media_type
            assert not ran(browser), media_type
            press(browser, f"{operation} .opblock-summary-control")


@pytest.mark.parametrize("parameter", ["url", "configUrl"])
def test_a_link_cannot_show_another_contract(browser: Any, host: int, parameter: str) -> None:
    """Settings in the URL are ignored, and no other host is contacted."""
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        foreign.settimeout(0)
        browser.get(f"http://127.0.0.1:{host}/ui/?{parameter}=http://127.0.0.1:{foreign.getsockname()[1]}/openapi.json")
        find(browser, CREATE)
        with pytest.raises(BlockingIOError):
            foreign.accept()
    assert find(browser, ".info .title").text.startswith("Items")
    assert complaints(browser) == []


@pytest.mark.parametrize("place", ["#", "#/items/", "?", "?filter="])
def test_a_url_is_not_interpreted_as_html(browser: Any, host: int, place: str) -> None:
    """This holds for the query and the fragment, from which Swagger UI reads what to open."""
    browser.get(f"http://127.0.0.1:{host}/ui/{place}{RUNS_BY_ITSELF['script']}{RUNS_BY_ITSELF['image']}")
    find(browser, CREATE)
    assert browser.execute_script(SUSPECTS) == []
    assert not ran(browser)
    assert complaints(browser) == []


def test_the_text_of_an_item_is_not_interpreted_as_html(browser: Any, host: int) -> None:
    """HTML in a name is shown as text."""
    item = post(host, {"name": RUNS_BY_ITSELF["image"], "description": RUNS_BY_ITSELF["script"]}).json()
    browser.get(f"http://127.0.0.1:{host}/ui/")
    press(browser, f"{READ} .opblock-summary-control")
    find(browser, f"{READ} input").send_keys(Keys.CONTROL, "a", Keys.NULL, str(item["id"]))
    find(browser, f"{READ} tr[data-param-in=header] input").send_keys(Keys.CONTROL, "a", Keys.NULL, Keys.DELETE)
    press(browser, f"{READ} .execute")
    shown = find(browser, f"{READ} {RESPONSE} .response-col_description .highlight-code pre").text
    assert json.loads(shown) == item
    assert browser.execute_script(SUSPECTS) == []
    assert not ran(browser)
    assert complaints(browser) == []

"""Every problem has a type, and its URL is a page that explains it."""

import html
import re
from urllib.parse import urljoin

import pytest

from app import problem_pages
from app.pages import CONTENT_SECURITY_POLICY
from app.problem_pages import problem_types
from contract.problems import status_title
from tests.docs.markdown import read, spans, table
from tests.support import PROBLEM, ContractClient, assert_problem, operations, resolve, specification

STATUSES = [int(spans(status)[0][:3]) for status, *_ in table(read("docs/errors.md"), "Statuses")]
COMPONENTS = specification()["components"]
each_type = pytest.mark.parametrize(("status", "path"), problem_types().items())


def test_every_status_of_a_problem_has_a_type() -> None:
    """docs/errors.md lists them; tests/docs/test_errors.py compares it with the service, Gunicorn and nginx."""
    assert list(problem_types()) == STATUSES


@each_type
def test_the_type_is_named_after_the_status(status: int, path: str) -> None:
    """So a client that knows the status knows the type."""
    assert path == "/problems/" + re.sub("[^a-z]+", "-", status_title(status).lower())


def test_every_example_of_a_problem_in_the_contract_has_its_type() -> None:
    """In the responses of operations, and in the default."""
    examples = [example["value"] for example in COMPONENTS["examples"].values() if "type" in (example["value"] or ())]
    problems = [value for value in examples if isinstance(value, dict) and "status" in value and "title" in value]
    assert len(problems) > 20
    assert [value["type"] for value in problems] == [problem_types()[value["status"]] for value in problems]


def test_every_problem_of_an_operation_has_a_type() -> None:
    """The statuses that operations list."""
    listed = {
        int(status)
        for operation in operations()
        for status, response in operation.definition["responses"].items()
        if status != "default" and PROBLEM in resolve(response).get("content", {})
    }
    assert listed <= problem_types().keys()


@each_type
def test_a_type_is_a_page(client: ContractClient, status: int, path: str) -> None:
    """It says what happened and what to do, and has the status, the properties and an example."""
    response = client.get(path)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert response.headers["Cache-Control"] == "no-cache"
    title = f"{status} {status_title(status)}"
    assert f"<title>{title}</title>" in response.text
    assert re.search(f"<h1[^>]*>{title}</h1>", response.text)
    for text in ("What happened:", "What to do:", ">Example<", ">Properties<", f"<code>{path}</code>"):
        assert response.text.count(text) == 1
    properties = set(COMPONENTS["schemas"]["Problem"]["properties"])
    expected = properties - ({"errors"} if status != 400 else set()) - ({"request_id"} if status != 500 else set())
    assert set(re.findall(r"<td><code>(\w+)</code></td>", response.text)) == expected
    assert f'"type":"{path}"' in html.unescape(response.text)
    assert "<script" not in response.text


@each_type
def test_every_link_of_a_page_works(client: ContractClient, status: int, path: str) -> None:
    """Stylesheets, and other documents."""
    urls = re.findall(r'href="([^"]+)"', client.get(path).text)
    assert {"../ui/", "../ui/errors.html", "../ui/theme.css", "../ui/document.css"} <= set(urls), status
    for url in urls:
        assert "://" in url or client.get(urljoin(path, url)).status_code == 200, url


def test_the_table_of_statuses_links_to_the_pages(client: ContractClient) -> None:
    """On the page about errors."""
    urls = re.findall(r'href="([^"]*problems/[^"]+)"', client.get("/ui/errors.html").text)
    assert [urljoin("/ui/errors.html", url) for url in urls] == list(problem_types().values())


@pytest.mark.parametrize("path", ["/problems/", "/problems/nothing", "/problems/not-found.html", "/problems/Not-Found"])
def test_any_other_page_is_404(client: ContractClient, path: str) -> None:
    """It is a problem itself."""
    assert_problem(client.get(path), 404, f"There is nothing at {path}.")


def test_an_unchanged_page_is_304(client: ContractClient) -> None:
    """It has a strong ETag."""
    whole = client.get("/problems/not-found")
    response = client.get("/problems/not-found", headers={"If-None-Match": whole.headers["ETag"]})
    assert (response.status_code, response.content) == (304, b"")


def test_a_type_fits_into_the_contracts_limits() -> None:
    """Below the longest prefix, too."""
    from app.prefix import MAX_LENGTH

    longest = max(map(len, problem_types().values()))
    assert MAX_LENGTH + longest <= COMPONENTS["schemas"]["Problem"]["properties"]["type"]["maxLength"]


def test_names_are_unique() -> None:
    """Each status has a page of its own."""
    assert len(set(problem_pages.names())) == len(problem_pages.names())

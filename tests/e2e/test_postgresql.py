"""The service on a real PostgreSQL: it satisfies the contract, sorts names alike, and maps errors to problems."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis

from tests.docs.markdown import blocks, read
from tests.e2e.postgresql import Cluster, postgresql, upgrade
from tests.e2e.stack import Running, ask, post, service, wait_until
from tools.conformance.configuration import configuration
from tools.conformance.engine import run

NAMES = ["b", "a", "B", "ä", "Z", "ß", "_", "é", "😀", "中", "a b", "-"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A running cluster; skips if PostgreSQL is not installed."""
    with postgresql() as started:
        yield started


@pytest.fixture(scope="module")
def gunicorn(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The service on this cluster, with several workers."""
    upgrade(cluster.url)
    with service(tmp_path_factory.mktemp("service"), DATABASE_URL=cluster.url, WEB_CONCURRENCY="4") as running:
        yield running


def test_an_empty_database_has_no_items(gunicorn: Running) -> None:
    """Four workers created the tables once, and all of them serve."""
    assert {ask(gunicorn.port, "GET", "/items").body for _ in range(20)} == {b"[]\n"}


def test_names_sort_by_code_point(gunicorn: Running) -> None:
    """The order is the same as with SQLite, whatever the locale of the database."""
    ids = [post(gunicorn.port, {"name": name}).json()["id"] for name in NAMES]
    listed = [item["name"] for item in ask(gunicorn.port, "GET", "/items?sort=name&limit=100").json()]
    assert listed == sorted(NAMES)
    assert {ask(gunicorn.port, "DELETE", f"/items/{item_id}").status for item_id in ids} == {204}


def test_the_database_stores_what_the_contract_accepts(gunicorn: Running) -> None:
    """The longest name and description, in the widest characters, are stored unchanged."""
    longest = {"name": "😀" * 80, "description": "\u0001\uffff𐀀\n" * 50}
    created = post(gunicorn.port, longest)
    assert created.status == 201
    stored = ask(gunicorn.port, "GET", created["Location"])
    assert {name: stored.json()[name] for name in longest} == longest


def test_the_page_about_it_works(cluster: Cluster, tmp_path: Path) -> None:
    """docs/postgresql.md creates a role and a database, and a command creates the tables in it."""
    _, create, upgrade_command, start = blocks(read("docs/postgresql.md"), "sh")
    psql = f"{cluster.programs}/psql --username=postgres --host=127.0.0.1 --port={cluster.port} -d postgres"
    assert create.count("sudo -u postgres psql ") == 2
    subprocess.run(["bash", "-ec", create.replace("sudo -u postgres psql", psql)], check=True, capture_output=True)
    found = re.fullmatch(r"DATABASE_URL=(\S+@127\.0\.0\.1)(/\S+) make run\n", start)
    assert found
    url = f"{found[1]}:{cluster.port}{found[2]}"
    assert upgrade_command == f"DATABASE_URL={found[1]}{found[2]} .venv/bin/flask --app app db upgrade\n"
    upgrade(url)
    with service(tmp_path, DATABASE_URL=url) as running:
        assert post(running.port, {"name": "Desk lamp"})["Location"] == "/items/1"


def test_a_stopped_database_is_a_503_until_its_start(cluster: Cluster, gunicorn: Running) -> None:
    """While it is stopped, responses are problems with Retry-After, and liveness is still 200."""
    created = post(gunicorn.port, {"name": "before the crash"})
    cluster.stop()
    for method, path in (("GET", "/items"), ("GET", "/readyz"), ("DELETE", created["Location"])):
        response = ask(gunicorn.port, method, path)
        assert (response.status, response["Retry-After"]) == (503, "5")
        assert response.json() == {
            "type": "about:blank",
            "title": "Service Unavailable",
            "status": 503,
            "detail": "The database cannot be reached. Try again in a moment.",
        }
    assert ask(gunicorn.port, "GET", "/healthz").status == 200
    cluster.start()
    wait_until(lambda: ask(gunicorn.port, "GET", "/readyz").status == 200, "ready again")
    assert ask(gunicorn.port, "GET", created["Location"]).json()["name"] == "before the crash"


def test_the_service_satisfies_the_contract(gunicorn: Running) -> None:
    """All phases and all checks run without a failure."""
    url = f"http://127.0.0.1:{gunicorn.port}/openapi.json"
    run(schemathesis.openapi.from_url(url, config=configuration()), max_examples=50)

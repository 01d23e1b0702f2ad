"""The service on a real PostgreSQL: it satisfies the contract, sorts names alike, and maps errors to problems."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import schemathesis

from app.problem_pages import problem_types
from tests.docs.markdown import blocks, read
from tests.e2e.postgresql import Cluster, postgresql, upgrade
from tests.e2e.stack import Response, Running, ask, post, service, wait_until
from tests.support import JSON
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


@pytest.fixture
def impatient(cluster: Cluster, tmp_path: Path) -> Iterator[Running]:
    """One worker that waits at most a second for a lock."""
    with service(tmp_path, DATABASE_URL=cluster.url, WEB_CONCURRENCY="1", WRITE_TIMEOUT="1") as running:
        yield running


@contextmanager
def _locked(cluster: Cluster, location: str) -> Iterator[psycopg.Connection[Any]]:
    """Another client of the database has locked the row of an item."""
    with psycopg.connect(cluster.url) as connection:
        connection.execute("SELECT * FROM items WHERE id = %s FOR UPDATE", [int(location.rpartition("/")[2])])
        yield connection


def _rename(port: int, location: str, **headers: str) -> Response:
    sent = {"Content-Type": JSON} | {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(port, "PATCH", location, b'{"name": "new"}', sent)


def test_writes_that_wait_for_a_lock_leave_the_others_alone(cluster: Cluster, impatient: Running) -> None:
    """40 updates of one locked row end with 503; reads and health checks are served before the first of them ends."""
    location = post(impatient.port, {"name": "old"})["Location"]
    with _locked(cluster, location), ThreadPoolExecutor(40) as clients:
        writes = [clients.submit(_rename, impatient.port, location) for _ in range(40)]
        wait_until(lambda: _waiting(cluster) == 5, "five updates wait in the database")
        for path in ("/healthz", "/readyz", "/items", location):
            assert ask(impatient.port, "GET", path).status == 200
        responses = [write.result() for write in writes]
    assert {(response.status, response["Retry-After"]) for response in responses} == {(503, "1")}
    assert _rename(impatient.port, location).status == 200


def _waiting(cluster: Cluster) -> int:
    with psycopg.connect(cluster.url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()
    assert row
    return int(row[0])


def test_a_server_that_does_not_respond_is_a_503(cluster: Cluster, impatient: Running) -> None:
    """Liveness is still 200; when the server goes on, so does the service."""
    location = post(impatient.port, {"name": "old"})["Location"]
    processes = cluster.processes()
    try:
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        with ThreadPoolExecutor(12) as clients:
            reads = [clients.submit(ask, impatient.port, "GET", path) for path in [location, "/readyz"] * 6]
            assert ask(impatient.port, "GET", "/healthz").status == 200
            assert {read.result().status for read in reads} == {503}
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
    wait_until(lambda: ask(impatient.port, "GET", "/readyz").status == 200, "ready again")
    assert ask(impatient.port, "GET", location).status == 200


def test_a_key_whose_request_runs_is_409(cluster: Cluster, impatient: Running) -> None:
    """Then, its response is sent again."""
    location = post(impatient.port, {"name": "old"})["Location"]
    with ThreadPoolExecutor(1) as client:
        with _locked(cluster, location) as lock:
            first = client.submit(_rename, impatient.port, location, Idempotency_Key="1")
            wait_until(lambda: _waiting(cluster) == 1, "the first request waits")
            second = _rename(impatient.port, location, Idempotency_Key="1")
            assert (second.status, second["Retry-After"]) == (409, "1")
            lock.rollback()
        assert first.result().status == 200
    third = _rename(impatient.port, location, Idempotency_Key="1")
    assert (third.status, third["Idempotency-Replayed"], third.body) == (200, "true", first.result().body)


def test_a_dry_run_stores_nothing(gunicorn: Running) -> None:
    """As on SQLite, but for the id, which PostgreSQL does not assign again."""
    dry = post(gunicorn.port, {"name": "dry"}, {"Prefer": "dry-run", "Idempotency-Key": "dry"})
    assert (dry.status, dry["Preference-Applied"]) == (201, "dry-run")
    assert ask(gunicorn.port, "GET", dry["Location"]).status == 404
    real = post(gunicorn.port, {"name": "dry"}, {"Idempotency-Key": "dry"})
    assert ask(gunicorn.port, "GET", real["Location"]).status == 200
    assert ask(gunicorn.port, "DELETE", real["Location"], headers={"Prefer": "dry-run"}).status == 204
    assert ask(gunicorn.port, "DELETE", real["Location"]).status == 204


def test_a_stopped_database_is_a_503_until_its_start(cluster: Cluster, gunicorn: Running) -> None:
    """While it is stopped, responses are problems with Retry-After, and liveness is still 200."""
    created = post(gunicorn.port, {"name": "before the crash"})
    cluster.stop()
    for method, path in (("GET", "/items"), ("GET", "/readyz"), ("DELETE", created["Location"])):
        response = ask(gunicorn.port, method, path)
        assert (response.status, response["Retry-After"]) == (503, "5")
        assert response.json() == {
            "type": problem_types()[503],
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

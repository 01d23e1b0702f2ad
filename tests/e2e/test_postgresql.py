"""The same code on a real PostgreSQL: the contract holds, names sort alike, and its errors have their problems."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis

from tests.e2e.stack import Running, ask, free_port, post, service, wait_until
from tools.conformance.configuration import configuration
from tools.conformance.engine import run

NAMES = ["b", "a", "B", "ä", "Z", "ß", "_", "é", "😀", "中", "a b", "-"]


class Cluster:
    """A PostgreSQL cluster of its own, in a folder, on a port of 127.0.0.1."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        self.data = folder / "data"
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8")

    def start(self) -> None:
        """Start, and wait until connections are taken."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        self._run("pg_ctl", "--wait", "--options", options, "--log", str(self.data.parent / "log"), "start")

    def stop(self) -> None:
        """Stop at once, as a machine does that loses its power."""
        self._run("pg_ctl", "--wait", "--mode=immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), "--pgdata", str(self.data), *arguments]
        if os.geteuid() == 0:  # PostgreSQL does not run as root
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster that runs; skips where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="items-postgresql-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
        started = Cluster(found[-1].parent, folder)
        started.start()
        yield started
        started.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def gunicorn(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The service on this cluster, with more than one worker to create the tables."""
    with service(tmp_path_factory.mktemp("service"), DATABASE_URL=cluster.url, WEB_CONCURRENCY="4") as running:
        yield running


def test_an_empty_database_has_no_items(gunicorn: Running) -> None:
    """Four workers created the tables once, and all of them serve."""
    assert {ask(gunicorn.port, "GET", "/items").body for _ in range(20)} == {b"[]\n"}


def test_names_sort_by_code_point(gunicorn: Running) -> None:
    """As on SQLite, whatever the locale of the database."""
    ids = [post(gunicorn.port, {"name": name}).json()["id"] for name in NAMES]
    listed = [item["name"] for item in ask(gunicorn.port, "GET", "/items?sort=name&limit=100").json()]
    assert listed == sorted(NAMES)
    assert {ask(gunicorn.port, "DELETE", f"/items/{item_id}").status for item_id in ids} == {204}


def test_what_the_contract_accepts_the_database_holds(gunicorn: Running) -> None:
    """The longest name and description, in the widest characters, come back as they were."""
    longest = {"name": "😀" * 80, "description": "\u0001\uffff𐀀\n" * 50}
    created = post(gunicorn.port, longest)
    assert created.status == 201
    stored = ask(gunicorn.port, "GET", created["Location"])
    assert {name: stored.json()[name] for name in longest} == longest


def test_a_stopped_database_is_answered_503_and_served_again_after_its_start(
    cluster: Cluster, gunicorn: Running
) -> None:
    """No answer while it is away but a problem with Retry-After; liveness stays; then all is as before."""
    created = post(gunicorn.port, {"name": "before the crash"})
    cluster.stop()
    for method, path in (("GET", "/items"), ("GET", "/readyz"), ("DELETE", created["Location"])):
        answer = ask(gunicorn.port, method, path)
        assert (answer.status, answer["Retry-After"]) == (503, "5")
        assert answer.json() == {
            "type": "about:blank",
            "title": "Service Unavailable",
            "status": 503,
            "detail": "The database cannot be reached. Try again in a moment.",
        }
    assert ask(gunicorn.port, "GET", "/healthz").status == 200
    cluster.start()
    wait_until(lambda: ask(gunicorn.port, "GET", "/readyz").status == 200, "ready again")
    assert ask(gunicorn.port, "GET", created["Location"]).json()["name"] == "before the crash"


def test_every_generated_request_is_answered_as_the_contract_says(gunicorn: Running) -> None:
    """All phases, all checks, none excluded, and not one failure."""
    url = f"http://127.0.0.1:{gunicorn.port}/openapi.json"
    run(schemathesis.openapi.from_url(url, config=configuration()), max_examples=50)

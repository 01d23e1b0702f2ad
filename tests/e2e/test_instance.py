"""`make conformance` against a running instance, in both modes; it finds violations."""

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.settings import ROOT
from tests.e2e.stack import Running, edge, free_port, post, service, wait_until
from tests.support import operations
from tools.conformance.instance import refuse_to_write

COUNT = re.compile(
    r"^Round (\d+) of \d+, \d+ s: Schemathesis: (\d+) cases \((.*?)\), .* (\d+) failures, seed (\d+)$", re.MULTILINE
)


@pytest.fixture
def gunicorn(tmp_path: Path) -> Iterator[Running]:
    """The service with two items."""
    with service(tmp_path, ACCESS_LOG="on") as running:
        for name in ("Desk lamp", "Chair"):
            assert post(running.port, {"name": name}).status == 201
        yield running


def _conformance(**variables: object) -> subprocess.CompletedProcess[str]:
    """Run `make conformance` with these variables."""
    command = ["make", "--no-print-directory", "conformance", *(f"{key}={value}" for key, value in variables.items())]
    return subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )


def _url(running: Running) -> str:
    return f"http://127.0.0.1:{running.port}"


def _rows(folder: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / "items.db") as connection:
        rows = connection.execute("SELECT * FROM items ORDER BY id").fetchall()
    connection.close()
    return rows


def _logged(running: Running) -> list[str]:
    """Return the method of each request in the log, which is written in batches."""
    return re.findall(r" access \[\S+\] \S+ ([A-Z]+) /", running.err.read_text())


def _methods(running: Running) -> set[str]:
    return set(_logged(running))


def test_the_default_mode_reads_and_changes_nothing(gunicorn: Running, tmp_path: Path) -> None:
    """It sends only GET and OPTIONS, invalid requests too, changes no rows, and reports what it did."""
    before = _rows(tmp_path)
    wait_until(lambda: _methods(gunicorn) == {"GET", "POST"}, "the requests so far in the log")
    with edge(tmp_path / "edge", gunicorn.port) as nginx:
        done = _conformance(URL=_url(nginx), CASES=20, SEED=7, REPORTS=tmp_path / "reports")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MODE=read: only GET and OPTIONS are sent, so nothing is written. SEED=7" in done.stdout
    ((_, cases, phases, wrong, seed),) = COUNT.findall(done.stdout)
    assert (int(cases) > 100, wrong, seed) == (True, "0", "7")
    assert [phase.split()[0] for phase in phases.split(", ")] == ["examples", "coverage", "fuzzing"]
    assert _rows(tmp_path) == before
    wait_until(lambda: _methods(gunicorn) == {"GET", "POST", "OPTIONS"}, "all requests in the log")
    assert _logged(gunicorn).count("POST") == len(before)
    report = (tmp_path / "reports" / "seed-7" / "index.html").read_text()
    assert "GET /items" in report
    reads = [operation for operation in operations() if operation.method == "GET"]
    assert (tmp_path / "reports" / "seed-7" / "junit.xml").read_text().count("<testcase ") == len(reads)


def test_the_full_mode_sends_everything_in_every_round(gunicorn: Running, tmp_path: Path) -> None:
    """The first round has all phases; later rounds, with other seeds, have only phases with random cases."""
    done = _conformance(URL=f"{_url(gunicorn)}/", MODE="full", CASES=20, ROUNDS=2, SEED=1, REPORTS=tmp_path / "reports")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "MODE=full: every operation: items are created, changed and DELETED, whoever made them. SEED=1" in done.stdout
    )
    first, second = ({name: int(count) for name, count in map(str.split, found[2].split(", "))}
                     for found in COUNT.findall(done.stdout))  # fmt: skip
    assert set(first) == {"examples", "coverage", "fuzzing", "stateful"}
    assert all((second[phase] > count) == (phase in ("fuzzing", "stateful")) for phase, count in first.items())
    sent = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
    wait_until(lambda: sent <= _methods(gunicorn), "every method in the log")
    assert {folder.name for folder in (tmp_path / "reports").iterdir()} == {"seed-1", "seed-2"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "post"])
def test_a_writing_request_is_never_sent_in_read_mode(method: str) -> None:
    """If Schemathesis generates such a request anyway, it is not sent."""
    with pytest.raises(RuntimeError, match="is not sent in the mode that only reads"):
        refuse_to_write(None, SimpleNamespace(method=method), {})


@pytest.mark.parametrize("mode", ["read", "full"])
def test_it_fails_if_a_response_violates_the_contract(tmp_path: Path, mode: str) -> None:
    """A copy of the service sends a health status that its contract does not allow."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(".*", "var", "node_modules", "benchmarks", "__pycache__"))
    specification = root / "openapi" / "items.yaml"
    text = specification.read_text(encoding="utf-8")
    assert text.count("value: {status: ok}") == text.count("enum: [ok]") == 1
    broken = text.replace("value: {status: ok}", "value: {status: fine}").replace("enum: [ok]", "enum: [fine]")
    specification.write_text(broken, encoding="utf-8")
    with service(tmp_path, root=root, VALIDATE_RESPONSES="log") as running:
        done = _conformance(URL=_url(running), MODE=mode, CASES=20, ROUNDS=3, SEED=3, REPORTS=tmp_path / "reports")
    assert done.returncode != 0
    assert "Its contract is not that of this checkout. It is tested against the one that it serves." in done.stdout
    assert "Response violates schema" in done.stdout
    assert "The tests failed; see above. Repeat them with SEED=3 ROUNDS=1." in done.stderr
    assert len(COUNT.findall(done.stdout)) == 1
    assert "Response violates schema" in (tmp_path / "reports" / "seed-3" / "index.html").read_text()


def test_a_wrong_call_ends_with_one_line(gunicorn: Running) -> None:
    """A missing URL, no server, another server and an unknown mode each end with one sentence and an error."""
    closed = f"http://127.0.0.1:{free_port()}"
    other = f"{_url(gunicorn)}/ui"
    for variables, says in (
        ({}, "URL is required, for example: make conformance URL=http://127.0.0.1:8000"),
        ({"URL": closed}, f"{closed} cannot be reached: "),
        ({"URL": "example"}, "example cannot be reached: Invalid URL"),
        ({"URL": other}, f"{other} is no instance of this service: /openapi.json has status 404"),
        ({"URL": _url(gunicorn), "MODE": "write"}, "invalid choice: 'write'"),
    ):
        done = _conformance(**variables)
        lines = [line for line in done.stderr.splitlines() if says in line]
        assert done.returncode != 0
        assert len(lines) == 1, done.stderr
        assert "Traceback" not in done.stderr

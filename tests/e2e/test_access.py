"""Access in the real programs: Schemathesis on the secured contract, and "Authorize" in the browser."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from selenium.webdriver.common.by import By

from app.access.attempts import FAILURES
from tests.e2e.browser import CREATE, RESPONSE, complaints, find, keep, look, press
from tests.e2e.stack import ROOT, Running, ask, edge, service, wait_until, workers
from tools.conformance.configuration import configuration
from tools.conformance.engine import run


@contextmanager
def secured(folder: Path, **settings: Any) -> Iterator[tuple[Running, str]]:
    """Run the service with `ACCESS=secured`, and create a key for all scopes."""
    with service(folder, ACCESS="secured", KEYS_SECRET_FILE=f"{folder}/keys.secret", **settings) as running:
        yield running, keys(folder, "create", "alice", "--scope=items:read", "--scope=items:write").strip()


def keys(folder: Path, *arguments: str) -> str:
    """Run `flask --app app keys …` on the database of the service, and return what it prints."""
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{folder}/items.db",
        "KEYS_SECRET_FILE": f"{folder}/keys.secret",
    }
    command = [sys.executable, "-m", "flask", "--app", "app", "keys", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


def test_the_secured_service_satisfies_the_secured_contract(tmp_path: Path) -> None:
    """All phases and all checks of Schemathesis, `ignored_auth` among them, alone and behind nginx."""
    with secured(tmp_path, ACCESS_LOG="off") as (gunicorn, key), edge(tmp_path / "edge", gunicorn.port) as nginx:
        for port in (gunicorn.port, nginx.port):
            url = f"http://127.0.0.1:{port}/openapi.json"
            document = ask(port, "GET", "/openapi.json").json()
            schema = schemathesis.openapi.from_url(url, config=configuration(document, {"X-API-Key": key}))
            report = run(schema, max_examples=50)
            assert report.checks["ignored_auth"] > 0


def test_a_revoked_key_is_refused_by_every_worker_within_a_second(tmp_path: Path) -> None:
    """Each worker has verified the key before, and remembers it. After many failures, the refusal is a 429."""
    with secured(tmp_path, WEB_CONCURRENCY="4") as (running, key):
        assert len(workers(running)) == 4

        def statuses() -> set[int]:
            return {ask(running.port, "GET", "/items", headers={"X-API-Key": key}).status for _ in range(40)}

        assert statuses() == {200}
        keys(tmp_path, "revoke", "alice")
        wait_until(lambda: statuses() <= {401, 429}, "every worker refusing the key", seconds=1.0)


@contextmanager
def _stopped(worker: int) -> Iterator[None]:
    """Stop a worker, so that the others accept all connections."""
    os.kill(worker, signal.SIGSTOP)
    try:
        wait_until(lambda: Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0] == "T", "it stopped")
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def test_the_workers_count_failed_attempts_together(tmp_path: Path) -> None:
    """Each has a part of them, and both refuse further ones. A key that they know goes on."""
    with secured(tmp_path, WEB_CONCURRENCY="2") as (running, key):
        one, other = workers(running)

        def statuses(credential: str, number: int) -> list[int]:
            headers = {"X-API-Key": credential}
            return [ask(running.port, "GET", "/items", headers=headers).status for _ in range(number)]

        with _stopped(other):
            assert statuses(key, 1) == [200]
            assert statuses("guess", FAILURES // 2 + 1) == [401] * (FAILURES // 2 + 1)
        with _stopped(one):
            assert statuses(key, 1) == [200]
            assert statuses("guess", FAILURES // 2 + 1) == [401] * (FAILURES // 2 - 1) + [429] * 2
            assert statuses(key, 1) == [200]
        with _stopped(other):
            assert statuses("guess", 2) == [429] * 2
            assert statuses(key, 1) == [200]


@pytest.mark.parametrize("file", ["limits", ""], ids=["with a file", "without"])
def test_instances_count_failed_attempts_together_in_a_file(tmp_path: Path, file: str) -> None:
    """As the instances of Docker Compose do. Without a file, each counts for itself."""
    (tmp_path / "other").mkdir()
    settings: dict[str, Any] = {
        "ACCESS": "secured",
        "DATABASE_URL": f"sqlite:///{tmp_path}/items.db",
        "KEYS_SECRET_FILE": f"{tmp_path}/keys.secret",
        "RATE_LIMIT_FILE": file and str(tmp_path / file),
    }
    with service(tmp_path, **settings) as one, service(tmp_path / "other", **settings) as other:

        def statuses(running: Running) -> list[int]:
            headers = {"X-API-Key": "guess"}
            return [ask(running.port, "GET", "/items", headers=headers).status for _ in range(FAILURES - 5)]

        assert statuses(one) == [401] * (FAILURES - 5)
        assert statuses(other) == ([401] * 5 + [429] * (FAILURES - 10) if file else [401] * (FAILURES - 5))


def test_one_authorizes_in_the_documentation(browser: Any, tmp_path: Path) -> None:
    """The button takes a key, under the strict policy; then "Execute" succeeds, and the command has the key."""
    with secured(tmp_path) as (running, key):
        look(browser, 1280, 1600, "light")
        browser.get(f"http://127.0.0.1:{running.port}/ui/")
        press(browser, f"{CREATE} .opblock-summary")
        press(browser, f"{CREATE} .execute")
        status = find(browser, f"{CREATE} {RESPONSE} tbody .response-col_status")
        assert status.text.split()[0] == "401"
        browser.execute_script("window.scrollTo(0, 0)")
        keep(browser, "ui-secured")
        press(browser, ".auth-wrapper .authorize")
        field = find(browser, "#api_key_value, .auth-container input[type=text], .auth-container input[type=password]")
        field.send_keys(key)
        keep(browser, "ui-authorize")
        press(browser, ".auth-container .authorize")
        keep(browser, "ui-authorized")
        press(browser, ".auth-container .btn-done")
        press(browser, f"{CREATE} .execute")
        wait_until(lambda: _status(browser) == "201", "the item to be created")
        assert f"-H 'X-API-Key: {key}'" in find(browser, f"{CREATE} .curl").text
        refused = "the server responded with a status of 401"
        assert [complaint for complaint in complaints(browser) if refused not in complaint] == []


def _status(browser: Any) -> str:
    found = browser.find_elements(By.CSS_SELECTOR, f"{CREATE} {RESPONSE} tbody .response-col_status")
    return found[0].text.split()[0] if found else ""

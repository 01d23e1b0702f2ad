"""`make dev` in a copy of the project: every mistake is one short message and a 503, and the next save ends it."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from app.settings import ROOT, Settings
from tests.e2e.stack import Response, ask, free_port, wait_until
from tests.extending import copy
from tools.dev.unavailable import DETAIL

ENDED = "dev: every request is a 503 until you save a change that fixes this"


class Dev(NamedTuple):
    """The running command: its folder, its port, its process and its output."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"
    output: Path

    def text(self) -> str:
        """The output so far."""
        return self.output.read_text("utf-8")

    def ask(self, method: str = "GET", path: str = "/items/1", body: bytes | None = None) -> Response:
        """Send a request. The listening socket is always open, so no connection is refused."""
        return ask(self.port, method, path, body, {"Content-Type": "application/json"} if body else None)

    def responds(self, status: int) -> None:
        """Wait until requests get this status."""
        wait_until(lambda: self.ask().status == status, f"a {status}:\n{self.text()}")

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a piece of a file, in place."""
        path = self.folder / file
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), "utf-8")


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Dev]:
    """Run `make dev` in a copy of the project."""
    checkout, output, port = folder / "a copy", folder / "output", free_port()
    checkout.mkdir()
    copy(checkout)
    environ = {**os.environ, "PORT": str(port), "DATABASE_URL": f"sqlite:///{folder}/items.db", **settings}
    with output.open("wb") as file:
        command = [sys.executable, "-m", "tools.dev"]
        process = subprocess.Popen(command, cwd=checkout, env=environ, stdout=file, stderr=subprocess.STDOUT)
    dev = Dev(checkout, port, process, output)
    try:
        wait_until(lambda: process.poll() is not None or _accepts(port), "a listening socket")
        yield dev
        assert process.poll() is None, dev.text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert not _accepts(port)


def _accepts(port: int) -> bool:
    try:
        return bool(ask(port, "GET", "/healthz").status)
    except OSError:
        return False


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """One `make dev` for all mistakes, each of which is corrected before the next."""
    with running(tmp_path_factory.mktemp("dev")) as started:
        started.responds(404)
        yield started


MISTAKES: dict[str, tuple[str, str, str, str]] = {
    "a typo in the contract": (
        "openapi/items.yaml",
        "      summary: List",
        "      summary: a: List",
        """\
The service cannot start. The contract is not valid YAML:
openapi/items.yaml:N:17: a second `: ` in one line, or wrong indentation
    N |       summary: a: List items
      |                 ^ put a text with `: ` in quotes
""",
    ),
    "a reference that leads nowhere": (
        "openapi/items.yaml",
        "responses/Problem",
        "responses/Problen",
        """\
The service cannot start. The contract is not a valid OpenAPI 3.0 document:
openapi/items.yaml:N:17: the reference `#/components/responses/Problen` leads nowhere
    N |           $ref: "#/components/responses/Problen"
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `Problem`?
""",
    ),
    "a syntax error in a handler": (
        "handlers/items.py",
        "def get_item(",
        "x = = 1\ndef get_item(",
        """\
The service cannot start. The contract and the handlers do not fit together:
handlers/items.py:N:5: SyntaxError: invalid syntax
    N | x = = 1
      |     ^
""",
    ),
    "a handler that is missing": (
        "handlers/items.py",
        "def get_item(",
        "def _get_item(",
        """\
The service cannot start. The contract and the handlers do not fit together:
openapi/items.yaml:N:20: get_item (GET /items/{item_id}) has no handler: handlers.items.get_item is missing
    N |       operationId: get_item
      |                    ^^^^^^^^ \
write `def get_item(item_id, if_match=None, if_none_match=None)` in handlers/items.py
""",
    ),
    "a handler with another parameter": (
        "handlers/items.py",
        "def get_item(item_id",
        "def get_item(itemid",
        """\
The service cannot start. The contract and the handlers do not fit together:
handlers/items.py:N:5: handlers.items.get_item has the parameter itemid, which GET /items/{item_id} does not have
    N | def get_item(itemid: int, if_match: ETags = None, if_none_match: ETags = None) -> Found:
      |     ^^^^^^^^ write `item_id`; the operation is at openapi/items.yaml:N:5
""",
    ),
    "an exception in the code of the database": (
        "db/items.py",
        '"""\n',
        '"""\n\nnothing()\n',
        """\
The service cannot start. The contract and the handlers do not fit together:
db/items.py:N:1: NameError: name 'nothing' is not defined
    N | nothing()
      | ^^^^^^^
""",
    ),
    "a syntax error in the engine": (
        "contract/media_types.py",
        '"""\n',
        '"""\n\ndef (:\n',
        """\
The service cannot start.
contract/media_types.py:N:5: SyntaxError: invalid syntax
    N | def (:
      |     ^
""",
    ),
    "an exception in Gunicorn's configuration": (
        "gunicorn.conf.py",
        '"""\n',
        '"""\n\nnothing()\n',
        """\
The service cannot start.
gunicorn.conf.py:N:1: NameError: name 'nothing' is not defined
    N | nothing()
      | ^^^^^^^
""",
    ),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_a_short_message_and_a_503_until_it_is_corrected(dev: Dev, kind: str) -> None:
    """Of at most ten lines; the message has the place; nothing is started in between."""
    file, right, wrong, message = MISTAKES[kind]
    before = len(dev.text())
    dev.edit(file, right, wrong)
    try:
        wait_until(lambda: ENDED in dev.text()[before:], f"the message:\n{dev.text()[before:]}")
        response = dev.ask()
    finally:
        dev.edit(file, wrong, right)
    assert (response.status, response["Content-Type"]) == (503, "application/problem+json")
    assert response.json() == {"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": DETAIL}
    told = dev.text()[before:].partition(f"dev: {file} changed: starting again\n")[2].partition("dev: ")[0]
    assert len(told.splitlines()) <= 10
    shown = re.sub(r"(?m)^ *\d+ \|", "    N |", re.sub(r"(\w\.\w+):\d+:", r"\1:N:", told))
    assert re.sub(r"      = the same at .*\n", "", shown) == message
    dev.responds(404)


def test_every_method_gets_the_503_and_a_body_is_read(dev: Dev) -> None:
    """The response is not lost with the connection."""
    dev.edit("handlers/items.py", "def get_item(", "def get_item((")
    dev.responds(503)
    assert [dev.ask(method, "/items", b"x" * 100_000).status for method in ("POST", "PUT", "DELETE")] == [503] * 3
    assert dev.ask("HEAD").body == b""
    dev.edit("handlers/items.py", "def get_item((", "def get_item(")
    dev.responds(404)


def test_a_new_operation_may_be_written_contract_first(dev: Dev) -> None:
    """Between the two saves there is one start and one message."""
    before = len(dev.text())
    path = '  /fresh:\n    get: {tags: [fresh], operationId: get_fresh, responses: {200: {description: "Fresh."}}}\n'
    dev.edit("openapi/items.yaml", "paths:\n", f"paths:\n{path}")
    dev.responds(503)
    (dev.folder / "handlers" / "fresh.py").write_text('"""Fresh."""\n\n\ndef get_fresh():\n    return "fresh"\n')
    wait_until(lambda: dev.ask(path="/fresh").status == 200, f"the new operation:\n{dev.text()[before:]}")
    told = dev.text()[before:]
    assert told.count("The service cannot start") == 1
    assert "write `def get_fresh()` in handlers/fresh.py, a new file" in told
    dev.edit("openapi/items.yaml", path, "")
    (dev.folder / "handlers" / "fresh.py").unlink()
    wait_until(lambda: dev.ask(path="/fresh").status == 404, "the operation gone")


def test_a_file_that_an_editor_replaces_is_noticed(dev: Dev) -> None:
    """Editors write another file first, and rename it."""
    file = dev.folder / "openapi" / "items.yaml"
    draft = file.with_name(".items.yaml.draft")
    for title in ("Changed", "Items"):
        draft.write_text(re.sub(r"(?m)^  title: \w+$", f"  title: {title}", file.read_text("utf-8")), "utf-8")
        draft.replace(file)
        wait_until(lambda: _title(dev) == title, title)  # noqa: B023 -- called at once


def _title(dev: Dev) -> str | None:
    response = dev.ask(path="/openapi.json")
    return str(response.json()["info"]["title"]) if response.status == 200 else None


def test_the_first_start_may_fail(tmp_path: Path) -> None:
    """The next save is noticed then, too."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    copy(checkout)
    broken = checkout / "app" / "settings.py"
    right = broken.read_text("utf-8")
    broken.write_text("def (", "utf-8")
    port = free_port()
    environ = {**os.environ, "PORT": str(port), "DATABASE_URL": f"sqlite:///{tmp_path}/items.db"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.dev"], cwd=checkout, env=environ, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: _accepts(port), "a response")
        assert ask(port, "GET", "/healthz").status == 503
        broken.write_text(right, "utf-8")
        wait_until(lambda: ask(port, "GET", "/healthz").status == 200, "the service")
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """With the port, and what to do."""
    with running(tmp_path) as started:
        environ = {**os.environ, "PORT": str(started.port)}
        command = [sys.executable, "-m", "tools.dev"]
        ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    reason = f"Cannot listen on 127.0.0.1:{started.port}: {os.strerror(errno.EADDRINUSE)}."
    assert ended.stderr == f"{reason} Choose another port: PORT=8001 make dev\n"


def test_the_defaults_are_those_of_the_settings() -> None:
    """`tools.dev` reads HOST and PORT without `app.settings`, which may be broken."""
    source = (ROOT / "tools" / "dev" / "__main__.py").read_text("utf-8")
    assert f'or "{Settings().host}", os' in source
    assert f'or "{Settings().port}"' in source


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_runs_it() -> None:
    """In the environment that `make run` has."""
    command = ["make", "--no-print-directory", "--dry-run", "-o", ".venv/runtime", "dev"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    assert shown == "exec .venv/bin/python -m tools.dev\n"

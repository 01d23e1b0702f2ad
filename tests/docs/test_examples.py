"""Every `console` block of the documents is run as it is written, in order, against a new service."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from app.settings import ROOT
from tests.docs.markdown import DOCUMENTS, Example, examples, read
from tests.e2e.stack import service
from tests.support import operations

ADDRESS = "http://127.0.0.1:8000"
ELSEWHERE = {"docs/sdk.md"}  # needs the generators: tests/e2e/test_sdk.py
EXAMPLES = [example for name in DOCUMENTS if name not in ELSEWHERE for example in examples(read(name))]
# What is another in every run, and counts as the same: a time, a date, a request id that the service has made.
VARIABLE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    r"|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
    r"|\b[0-9a-f]{32}\b"
)
ACCESS = re.compile(r'"([A-Z]+) (/[^ ?"]*)\S* HTTP/1\.1" (\d{3}) ')


@dataclass(frozen=True)
class Session:
    """What each command printed, and the requests that the service saw: method, path and status."""

    printed: Mapping[Example, str]
    requests: tuple[tuple[str, str, int], ...]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """All commands, one after the other; the only thing that is changed in them is the port."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed (apt-get install curl)")
    with service(tmp_path_factory.mktemp("service"), ACCESS_LOG="on") as running:
        address = f"http://127.0.0.1:{running.port}"
        printed = {example: _run(example.command.replace(ADDRESS, address)) for example in EXAMPLES}
    requests = ACCESS.findall(running.err.read_text())
    return Session(printed, tuple((method, path, int(status)) for method, path, status in requests))


def _run(command: str) -> str:
    environment = {**os.environ, "no_proxy": "127.0.0.1"}
    bash = ["bash", "-euo", "pipefail", "-c", command]
    done = subprocess.run(bash, cwd=ROOT, env=environment, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, f"{command}\n{done.stderr.decode()}"
    return done.stdout.decode()


def _comparable(text: str) -> str:
    """The text without what varies, and an answer's headers in one order and case (RFC 9110 §5.1, §5.3)."""
    text = VARIABLE.sub("…", text.replace("\r\n", "\n"))
    if not text.startswith("HTTP/"):
        return text
    head, _, body = text.partition("\n\n")
    status, *headers = head.rstrip("\n").split("\n")
    fields = sorted(f"{name.lower()}:{value}" for name, _, value in (header.partition(":") for header in headers))
    return "\n".join([status, *fields, "", body])


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_the_command_prints_what_is_shown(session: Session, example: Example) -> None:
    """Status, headers and body, to the letter."""
    assert _comparable(session.printed[example]) == _comparable(example.shown)


def test_no_command_stands_there_twice() -> None:
    """The answers are kept by command."""
    assert len(set(EXAMPLES)) == len(EXAMPLES)


def test_the_examples_use_every_operation(session: Session) -> None:
    """An operation counts when it has answered a command of the documents with success."""
    used = {
        str(operation)
        for operation in operations()
        for method, path, status in session.requests
        if status < 400 and method == operation.method and re.fullmatch(_pattern(operation.path), path)
    }
    # Whether it is ready, the fixture asks too: so that one is looked up in the commands.
    assert any(f"{ADDRESS}/readyz" in example.command for example in EXAMPLES)
    assert used == {str(operation) for operation in operations()}


def _pattern(path: str) -> str:
    return re.sub(r"\{\w+\}", "[^/]+", path)

"""Every `console` block of a document is run unchanged and in order, against a new service."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from app.security_headers import HEADERS
from app.settings import ROOT
from tests.docs.markdown import DOCUMENTS, Example, blocks, examples, read
from tests.e2e.stack import ask, free_port, listens, service, wait_until
from tests.support import PATHS, operations

ORIGIN = re.compile(r"http://127\.0\.0\.1:800[01]\b")
COOKBOOK = "docs/curl.md"
ELSEWHERE = {  # two need packages from npm
    "docs/postman.md",  # tests/e2e/test_postman.py runs it
    "docs/problems.md",  # tests/e2e/test_problems.py runs each example in a situation of its own
    "docs/sdk.md",  # tests/e2e/test_sdk.py runs it
}
EXAMPLES = [(name, example) for name in DOCUMENTS if name not in ELSEWHERE for example in examples(read(name))]
STARTS = {
    line
    for name in DOCUMENTS
    for block in blocks(read(name), "sh")
    for line in block.splitlines()
    if re.search(r"\bPORT=.* make run$", line)
}
"""The commands that start a service on a port, except those of Docker Compose."""
# What differs in every run: a time, a date, a request id from the service, what is left of a rate limit.
VARIABLE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    r"|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
    r"|\b[0-9a-f]{32}\b"
    r"|\br=\d+;t=\d+\b"
)
ACCESS = re.compile(r" access \[\S+\] \S+ ([A-Z]+) (/[^ ?]*)\S* (\d{3}) ")


@dataclass(frozen=True)
class Session:
    """The output of each command, and the requests that the service received: method, path and status."""

    printed: Mapping[Example, str]
    requests: tuple[tuple[str, str, int], ...]


@cache
def _session(document: str) -> Session:
    """Run all commands of a document one after the other. Only the port is changed."""
    with tempfile.TemporaryDirectory() as folder, service(Path(folder), ACCESS_LOG="on") as running:
        origin = f"http://127.0.0.1:{running.port}"
        printed = {
            example: _run(ORIGIN.sub(origin, example.command))
            for name, example in EXAMPLES
            if name == document and _absent(example) is None
        }
        running.process.terminate()
        running.process.wait()  # until all lines are in the log
        requests = ACCESS.findall(running.err.read_text())
    return Session(printed, tuple((method, path, int(status)) for method, path, status in requests))


def _absent(example: Example) -> str | None:
    """Return a program that the command needs and this machine does not have, if any."""
    words = re.findall(r"\b(?:curl|jq)\b", example.command)
    return next((program for program in words if shutil.which(program) is None), None)


def _run(command: str) -> str:
    environment = {**os.environ, "no_proxy": "127.0.0.1"}
    bash = ["bash", "-euo", "pipefail", "-c", command]
    done = subprocess.run(bash, cwd=ROOT, env=environment, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, f"{command}\n{done.stderr.decode()}"
    return done.stdout.decode()


def _without_other_paths(printed: str) -> str:
    """Remove the links to paths that no document mentions, those of a resource that was added, from a JSON object."""
    documents = "\n".join(read(name) for name, _ in EXAMPLES)
    for path in PATHS:
        if f"/{path.split('/')[1]}" not in documents:
            link, methods = rf'"[^"]*":"{re.escape(path)}"', rf'"{re.escape(path)}":\[[^\]]*\]'
            printed = re.sub(f",({link}|{methods})", "", printed)
    return printed


def _without_security_headers(printed: str) -> str:
    """Remove the headers that docs/http.md lists: every response has them, and the documents omit them."""
    lines = printed.split("\r\n")
    for name, value in HEADERS.items() if printed.startswith("HTTP/") else ():
        lines.remove(f"{name}: {value}")
    return "\r\n".join(lines)


def _comparable(text: str) -> str:
    """Return the text without what varies, with sorted header names in lower case (RFC 9110 §5.1, §5.3)."""
    text = VARIABLE.sub("…", text.replace("\r\n", "\n"))
    if not text.startswith("HTTP/"):
        return text
    head, _, body = text.partition("\n\n")
    status, *headers = head.rstrip("\n").split("\n")
    if status.startswith("HTTP/1.1 413"):  # whether the connection ends depends on how much of the body has arrived
        headers = [header for header in headers if header.lower() != "connection: close"]
    fields = sorted(f"{name.lower()}:{value}" for name, _, value in (header.partition(":") for header in headers))
    return "\n".join([status, *fields, "", body])


@pytest.mark.parametrize(("document", "example"), EXAMPLES, ids=str)
def test_the_command_prints_the_output_shown(document: str, example: Example) -> None:
    """Status, headers and body are the same, and the output ends with a newline."""
    if absent := _absent(example):
        pytest.skip(f"{absent} is not installed (apt-get install {absent})")
    printed = _session(document).printed[example]
    assert _comparable(_without_other_paths(_without_security_headers(printed))) == _comparable(example.shown)
    assert printed.endswith("\n")


def test_no_command_occurs_twice_in_a_document() -> None:
    """The session stores outputs by command."""
    assert len(set(EXAMPLES)) == len(EXAMPLES)


@pytest.mark.parametrize("command", sorted(STARTS))
def test_a_service_starts_with_the_settings_shown(command: str, tmp_path: Path) -> None:
    """It listens on the port. Only the port is changed, and the database of `make run` if the command names none."""
    variables = dict(re.findall(r"([A-Z_]+)=(\S+) ", command))
    port = free_port()
    # A worker that is still starting can miss Ctrl-C, and is then killed after this time.
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/items.db", "GRACEFUL_TIMEOUT": "1"}
    command = command.replace(f"PORT={variables['PORT']} ", f"PORT={port} ").replace(":///var/", f":///{tmp_path}/")
    bash = ["bash", "-euo", "pipefail", "-c", command]
    with (tmp_path / "log").open("wb") as log:
        run = subprocess.Popen(bash, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until(lambda: run.poll() is not None or listens(port), f"{command} listening")
        assert ask(port, "GET", "/items").json() == [], (tmp_path / "log").read_text()
    finally:
        os.killpg(run.pid, signal.SIGINT)  # Ctrl-C
        run.wait(30)
    assert (tmp_path / "items.db").exists() == ("DATABASE_URL" not in variables)


def test_the_cookbook_uses_the_service_that_it_starts() -> None:
    """It has a database of its own, and another port than the service of the README."""
    (start,) = blocks(read(COOKBOOK), "sh")
    assert start.startswith("DATABASE_URL=sqlite:///$(mktemp -d)/")
    assert {found[0] for found in ORIGIN.finditer(read(COOKBOOK))} == {"http://127.0.0.1:8001"}
    assert " PORT=8001 " in start


def test_the_cookbook_uses_every_operation_and_shows_every_success() -> None:
    """A documented status below 400 counts when a command got it from its operation.

    A resource that the cookbook does not use at all is left out; items and health are not.
    """
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed (apt-get install curl)")
    got = {
        (str(operation), status)
        for operation in operations()
        for method, path, status in _session(COOKBOOK).requests
        if method == operation.method and re.fullmatch(_pattern(operation.path), path)
    }
    names = {name for name, _ in got}
    used = {operation.definition["tags"][0] for operation in operations() if str(operation) in names}
    assert {"items", "health"} <= used
    documented = {
        (str(operation), int(status))
        for operation in operations()
        for status in operation.definition["responses"]
        if status < "4" and operation.definition["tags"][0] in used
    }
    # `service()` requests /readyz as well, so look for it in the commands.
    assert any("/readyz" in example.command for name, example in EXAMPLES if name == COOKBOOK)
    assert documented <= got


def test_the_cookbook_shows_the_common_errors() -> None:
    """It shows whole responses."""
    shown = {
        int(status)
        for name, example in EXAMPLES
        if name == COOKBOOK
        for status in re.findall(r"^HTTP/1\.1 (4\d\d) ", example.shown, re.MULTILINE)
    }
    assert shown == {400, 404, 405, 406, 412, 413, 415}


def test_the_cookbook_shows_head_and_options() -> None:
    """These methods work on every path."""
    commands = [example.command for name, example in EXAMPLES if name == COOKBOOK]
    assert any(command.startswith("curl -I ") for command in commands)
    assert any("-X OPTIONS " in command for command in commands)


def _pattern(path: str) -> str:
    return re.sub(r"\{\w+\}", "[^/]+", path)

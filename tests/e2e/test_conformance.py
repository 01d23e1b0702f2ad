"""The running service satisfies its contract for all requests of Schemathesis, alone and behind nginx."""

import os
import re
from pathlib import Path

import schemathesis

from tests.docs import terminal
from tests.docs.markdown import blocks, read
from tests.e2e.stack import ROOT, edge, service
from tools.conformance.configuration import configuration
from tools.conformance.engine import run


def _run(port: int) -> None:
    url = f"http://127.0.0.1:{port}/openapi.json"
    schema = schemathesis.openapi.from_url(url, config=configuration())
    run(schema, max_examples=150)


def test_gunicorn_satisfies_the_contract(tmp_path: Path) -> None:
    """All phases and all checks run without a failure."""
    with service(tmp_path, ACCESS_LOG="off") as gunicorn:
        _run(gunicorn.port)


def test_nginx_and_gunicorn_satisfy_the_contract(tmp_path: Path) -> None:
    """Nginx does not break the contract, and its own errors are in the contract."""
    with service(tmp_path, ACCESS_LOG="off") as gunicorn, edge(tmp_path / "edge", gunicorn.port) as nginx:
        _run(nginx.port)


def test_plain_schemathesis_finds_no_failure_in_the_checkout_and_with_copied_files(tmp_path: Path) -> None:
    """The commands of docs/conformance.md: `st run` without an option, here and in a folder with its two files.

    In the second folder they run with fewer cases, and with the Schemathesis of the checkout.
    """
    *_, start, here, elsewhere = blocks(read("docs/conformance.md"), "sh")
    assert "PORT=8001 make run" in start
    elsewhere = elsewhere.replace("../items-tests", str(tmp_path)).replace("venv/bin/st run", "venv/bin/st run -n 5")
    elsewhere = re.sub(r"^.*(venv venv|pip install).*\n", "", elsewhere, flags=re.MULTILINE)
    with service(tmp_path, ACCESS_LOG="off") as gunicorn:
        commands = [
            block.strip()
            .replace(":8001/", f":{gunicorn.port}/")
            .replace("\nvenv/", f"\n{ROOT}/.venv/")
            .replace(".venv/bin/st", ".venv/bin/st")
            for block in (here, elsewhere)
        ]
        environment = {**os.environ, "no_proxy": "127.0.0.1", "NO_COLOR": "1"}
        for command, printed in zip(commands, terminal.run(commands, ROOT, environment), strict=True):
            print(f"{command}\n{printed[printed.index('SUMMARY') :]}")
            assert re.search(r"=+ No issues found in [\d.]+s =+\n\Z", printed)
            assert re.search(r"^  Tested: (\d+)$", printed, re.MULTILINE)

"""The running service keeps its contract, whatever Schemathesis sends: behind Gunicorn, and behind nginx too."""

from pathlib import Path

import schemathesis

from tests.e2e.stack import edge, service
from tools.conformance.configuration import configuration
from tools.conformance.engine import run


def _run(port: int) -> None:
    url = f"http://127.0.0.1:{port}/openapi.json"
    schema = schemathesis.openapi.from_url(url, config=configuration())
    run(schema, max_examples=150)


def test_gunicorn_answers_every_generated_request_as_the_contract_says(tmp_path: Path) -> None:
    """All phases, all checks, none excluded, and not one failure."""
    with service(tmp_path, ACCESS_LOG="off") as gunicorn:
        _run(gunicorn.port)


def test_nginx_and_gunicorn_answer_every_generated_request_as_the_contract_says(tmp_path: Path) -> None:
    """The edge changes nothing that the contract promises, and what it answers by itself is in the contract."""
    with service(tmp_path, ACCESS_LOG="off") as gunicorn, edge(tmp_path / "edge", gunicorn.port) as nginx:
        _run(nginx.port)

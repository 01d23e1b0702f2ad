"""The running service satisfies its contract for all requests of Schemathesis, alone and behind nginx."""

from pathlib import Path

import schemathesis

from tests.e2e.stack import edge, service
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

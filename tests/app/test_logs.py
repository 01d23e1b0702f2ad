"""Logging: one line an event, with the id of the request it belongs to."""

import io
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest

from app.logs import RequestIdFilter, configuration, configure
from app.settings import LOG_LEVELS
from contract.serving.request_ids import request_id
from db.engine import Database
from tests.support import ContractClient


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What the service's own handler writes; logging is as before afterwards."""
    written = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    loggers = {name: logging.getLogger(name) for name in ("gunicorn.error", "gunicorn.access", "connexion")}
    states = {name: (logger.level, logger.propagate, logger.handlers[:]) for name, logger in loggers.items()}
    configure("info")
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, logger in loggers.items():
        logger.level, logger.propagate, logger.handlers[:] = states[name]


def _record() -> Any:
    return logging.LogRecord("x", logging.INFO, "x.py", 1, "message", (), None)


def test_a_record_outside_of_a_request_has_a_dash() -> None:
    """It is kept all the same."""
    record = _record()
    assert RequestIdFilter().filter(record)
    assert record.request_id == "-"


def test_a_record_within_a_request_has_its_id() -> None:
    """From whichever logger it comes."""
    record, token = _record(), request_id.set("r1")
    assert RequestIdFilter().filter(record)
    request_id.reset(token)
    assert record.request_id == "r1"


@pytest.mark.parametrize("level", LOG_LEVELS)
def test_the_level_is_the_root_loggers(level: str) -> None:
    """And Gunicorn's; Connexion says only what is an error."""
    configured = configuration(level)
    assert configured["root"]["level"] == level.upper()
    assert configured["loggers"]["gunicorn.error"]["level"] == level.upper()
    assert configured["loggers"]["connexion"]["level"] == "ERROR"


def test_a_line_has_time_level_logger_request_id_and_message(stream: io.StringIO) -> None:
    """In this order."""
    logging.getLogger("items").warning("Something %s", "happened")
    line = stream.getvalue()
    assert line.endswith(" WARNING items [-] Something happened\n")
    assert line[:4].isdigit()


def test_the_id_in_the_answer_to_an_unforeseen_error_leads_to_its_cause(
    stream: io.StringIO, client: ContractClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line has the id and the exception; the traceback follows."""

    def fail(_database: Database) -> None:
        raise RuntimeError("the cause")

    monkeypatch.setattr(Database, "read", fail)
    given = client.get("/items").json()["request_id"]
    first, *rest = [line for line in stream.getvalue().splitlines() if "httpx" not in line]
    assert first.endswith(f" ERROR contract [{given}] Unexpected: RuntimeError('the cause')")
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1] == "RuntimeError: the cause"


def test_a_refused_request_is_not_logged(stream: io.StringIO, client: ContractClient) -> None:
    """It is the client's matter; the access log has its status."""
    for path in ("/items?limit=0", "/items/7", "/nowhere"):
        client.get(path)
    client.post("/items", json={})
    assert [line for line in stream.getvalue().splitlines() if " httpx " not in line] == []

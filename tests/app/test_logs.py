"""Logging: one line per event, with the request id, as text or as JSON."""

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError

from app.log_formats import JsonFormatter, TextFormatter, is_colourful
from app.log_writer import MAX_LINE
from app.logs import GunicornLogger, LineHandler, configuration, configure, log_prints
from app.settings import LOG_FORMATS, LOG_LEVELS
from contract.serving.request_ids import request_id
from db.engine import Database
from tests.support import ContractClient

Written = Callable[[], str]
HOSTILE = 'a\n2026-01-01 00:00:00.000 INFO server forged\r\x1b[31m\x9b31m\u2028\u202e"\\\x00\ud800'


@pytest.fixture
def written(capfd: pytest.CaptureFixture[str]) -> Iterator[Written]:
    """Return what was written to standard error, and restore the logging configuration afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    loggers = {name: logging.getLogger(name) for name in ("server", "connexion")}
    states = {name: (logger.level, logger.propagate, logger.handlers[:]) for name, logger in loggers.items()}
    root.handlers.clear()
    yield lambda: capfd.readouterr().err
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, logger in loggers.items():
        logger.level, logger.propagate, logger.handlers[:] = states[name]


def _record(message: str = "message", error: BaseException | None = None) -> logging.LogRecord:
    cause = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("items", logging.WARNING, "x.py", 1, "%s", (message,), cause)


def _caught(error: Exception) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


@pytest.mark.parametrize("level", LOG_LEVELS)
def test_the_level_applies_to_the_root_logger_and_gunicorn(level: str) -> None:
    """Connexion logs only errors."""
    configured = configuration(level, "text")
    assert configured["root"]["level"] == level.upper()
    assert configured["loggers"]["server"]["level"] == level.upper()
    assert configured["loggers"]["connexion"]["level"] == "ERROR"


def test_a_line_of_text_has_time_level_name_and_message(written: Written) -> None:
    """There is no request id outside of a request."""
    configure("info", "text")
    logging.getLogger("items").warning("Something %s", "happened")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} WARNING items Something happened\n", written())


def test_a_line_of_text_has_the_request_id() -> None:
    """It is in brackets before the message."""
    token = request_id.set("r1")
    line = TextFormatter(colourful=False).format(_record())
    request_id.reset(token)
    assert line.endswith(" WARNING items [r1] message")


@pytest.mark.parametrize("id_", ["-", "r1"])
def test_a_line_of_json_has_the_same_fields_for_each_event(written: Written, id_: str) -> None:
    """The request id is null outside of a request."""
    token = request_id.set(id_)
    configure("info", "json")
    logging.getLogger("items").error("Something %s", "happened")
    request_id.reset(token)
    event = json.loads(written())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", event.pop("time"))
    expected = {"level": "error", "logger": "items", "request_id": None if id_ == "-" else id_}
    assert event == expected | {"message": "Something happened"}


def test_the_lines_of_a_traceback_in_text_are_indented() -> None:
    """So neither a message nor an exception can forge a line, nor control a terminal."""
    event = TextFormatter(colourful=False).format(_record(HOSTILE, _caught(ValueError(HOSTILE))))
    first, *rest = event.split("\n")
    assert re.search(
        r"WARNING items a\\n2026-01-01 .*forged\\r\\x1b\[31m\\x9b31m\\u2028\\u202e\"\\\\x00\\ud800$", first
    )
    assert rest[0] == "  Traceback (most recent call last):"
    assert all(line.startswith("  ") for line in rest)
    assert all(line.isprintable() for line in event.split("\n"))


def test_an_event_with_a_traceback_is_one_line_of_json() -> None:
    """The texts are the original ones."""
    line = JsonFormatter().format(_record(HOSTILE, _caught(ValueError("the cause"))))
    assert (line.isascii(), line.isprintable()) == (True, True)
    event = json.loads(line)
    assert event["message"] == HOSTILE
    assert event["exception"].startswith("Traceback (most recent call last):\n")
    assert event["exception"].endswith("\nValueError: the cause")


@pytest.mark.parametrize("long", ["x" * 50_000, "\x01" * 5_000, "\N{PILE OF POO}" * 5_000])
def test_a_long_event_loses_its_middle(long: str) -> None:
    """Its line is not longer than what a pipe takes as a whole, and the exception is still there."""
    record = _record(long, _caught(ValueError(long + "the end")))
    line = JsonFormatter().format(record)
    assert len(line) < MAX_LINE
    event = json.loads(line)
    assert (event["message"][:1], event["exception"][-7:]) == (long[:1], "the end")
    assert "characters left out" in event["message"]
    for part in TextFormatter(colourful=False).format(record).split("\n"):
        assert len(part.encode()) < MAX_LINE


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR and TERM=dumb switch them off."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert not is_colourful()
    monkeypatch.setattr(os, "isatty", lambda descriptor: descriptor == 2)
    assert is_colourful()
    monkeypatch.setenv("TERM", "dumb")
    assert not is_colourful()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not is_colourful()


def test_a_coloured_line_has_the_same_text() -> None:
    """Without the escape sequences it is the plain line."""
    record = _record()
    plain, coloured = (TextFormatter(colourful=colourful).format(record) for colourful in (False, True))
    assert "\x1b[33mWARNING\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain


@pytest.mark.parametrize("log_format", LOG_FORMATS)
def test_the_request_id_of_a_500_leads_to_the_exception_in_the_log(
    written: Written, client: ContractClient, monkeypatch: pytest.MonkeyPatch, log_format: str
) -> None:
    """The log has the request id and the exception with its traceback."""

    def fail(_database: Database) -> None:
        raise RuntimeError("the cause")

    monkeypatch.setattr(Database, "read", fail)
    configure("info", log_format)
    given = client.get("/items").json()["request_id"]
    first, *rest = [line for line in written().splitlines() if "httpx" not in line]
    if log_format == "json":
        event = json.loads(first)
        assert rest == []
        assert (event["request_id"], event["logger"]) == (given, "contract")
        assert event["message"] == "Unexpected: RuntimeError('the cause')"
        rest = event["exception"].splitlines()
    else:
        assert first.endswith(f" ERROR contract [{given}] Unexpected: RuntimeError('the cause')")
    assert rest[0].strip() == "Traceback (most recent call last):"
    assert rest[-1].strip() == "RuntimeError: the cause"


def test_a_rejected_request_is_not_logged(written: Written, client: ContractClient) -> None:
    """Client errors are not logged as events, because the access log has their status."""
    configure("info", "text")
    for path in ("/items?limit=0", "/items/7", "/nowhere"):
        client.get(path)
    client.post("/items", json={})
    assert [line for line in written().splitlines() if " httpx " not in line] == []


def test_gunicorn_logs_as_server() -> None:
    """Its lines are not all named after the library."""
    names = []

    class Configuration:
        """The settings that the logger reads."""

        loglevel, accesslog, errorlog, syslog, capture_output = "info", "-", "-", False, False
        logconfig_dict = logconfig_json = logconfig = None
        user = group = 0

    logger = GunicornLogger(Configuration())
    names.append(logger.error_log.name)
    assert (names, logger.access_log_enabled) == (["server"], True)
    for handler in [*logger.error_log.handlers, *logger.access_log.handlers]:
        handler.close()
    logger.error_log.handlers.clear()
    logger.access_log.handlers.clear()


def test_what_programs_print_becomes_events(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed at once is one event, as is an exception that nobody catches."""
    for name in ("stdout", "stderr", "excepthook"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    monkeypatch.setenv("LOG_FORMAT", "JSON ")
    log_prints()
    print("one\n  two")
    sys.stderr.write("The service cannot start. ")
    sys.stderr.write("\n")
    print()
    sys.excepthook(RuntimeError, RuntimeError("boom"), None)
    events: list[dict[str, Any]] = [json.loads(line) for line in written().splitlines()]
    assert [(event["level"], event["logger"], event["message"]) for event in events] == [
        ("info", "stdout", "one\n  two"),
        ("error", "stderr", "The service cannot start."),
        ("critical", "server", "Unexpected: RuntimeError('boom')"),
    ]
    assert "RuntimeError: boom" in events[2]["exception"]


def test_the_handler_reports_what_was_dropped(written: Written) -> None:
    """The report is a line like all others."""
    configure("info", "json")
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, LineHandler)
    event = json.loads(handler._report(7))
    assert (event["level"], event["logger"]) == ("warning", "log")
    assert event["message"] == "7 lines were dropped, because nobody read the log"
    assert written() == ""


def test_an_error_of_the_database_has_no_values_of_parameters(tmp_path: Path) -> None:
    """They are text from clients, and the error goes to the log."""
    database = Database(make_url(f"sqlite:///{tmp_path}/items.db"))
    database.create()
    statement = text("SELECT name FROM nowhere WHERE name = :name")
    for begin in (database.read, database.write):
        with pytest.raises(SQLAlchemyError, match="nowhere") as caught, begin() as connection:
            connection.execute(statement, {"name": "private"})
        assert "private" not in f"{caught.value!r} {caught.value}"
    database.close()

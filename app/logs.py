"""Logging: one line per event on standard error, as text for a terminal or as JSON, with the request id."""

import io
import logging
import logging.config
import os
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from gunicorn.glogging import Logger

from app.access_log import AccessLog
from app.log_formats import STANDARD_ERROR, JsonFormatter, Served, TextFormatter, is_colourful
from app.log_writer import LineWriter

_SERVER, _WORKER, _LOG = "server", "worker", "log"
"""The names of lines that no module of this project logs under its own name."""


class LineHandler(logging.Handler):
    """Writes events, and the access log in between, to standard error, without waiting."""

    def __init__(self, log_format: str) -> None:
        super().__init__()
        self.lines: TextFormatter | JsonFormatter
        self.lines = JsonFormatter() if log_format == "json" else TextFormatter(colourful=is_colourful())
        self.setFormatter(self.lines)
        self.writer = LineWriter(STANDARD_ERROR, self._report)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one event."""
        try:
            self.writer.put([self.format(record) + "\n"])
            self.writer.flush()
        except Exception:  # noqa: BLE001 -- as in all handlers: logging must not break what it reports
            self.handleError(record)

    def close(self) -> None:
        """Write what is left. Python does this at the end of the process."""
        self.writer.close()
        super().close()

    def _report(self, dropped: int) -> str:
        message = f"{dropped} lines were dropped, because nobody read the log"
        level = logging.WARNING
        return self.format(logging.LogRecord(_LOG, level, __file__, 0, message, (), None)) + "\n"


class GunicornLogger(Logger):  # type: ignore[misc]  # Gunicorn has no types
    """Gunicorn's logger, with names for what its lines are about, and another access log."""

    access_log_enabled = False
    collects_requests = False
    """Whether `requests` gets them: for the access log, or for those who look at the same batches."""

    def setup(self, cfg: Any) -> None:
        """Set up logging at the start and at a reload."""
        self.error_log = logging.getLogger(_SERVER)
        super().setup(cfg)
        self.access_log_enabled = bool(cfg.accesslog)

    def begin_worker(self, loop: AbstractEventLoop, observers: Sequence[Callable[[list[Served]], None]]) -> LineWriter:
        """From now on, log as a worker with this event loop. Return what writes the lines."""
        self.error_log = logging.getLogger(_WORKER)
        self.collects_requests = self.access_log_enabled or bool(observers)
        handler = next(handler for handler in logging.getLogger().handlers if isinstance(handler, LineHandler))
        line = handler.lines.access if self.access_log_enabled else None
        self.requests = AccessLog(handler.writer, line, loop, observers)
        return handler.writer


def configuration(level: str, log_format: str) -> dict[str, Any]:
    """Return the logging configuration of the service and of Gunicorn."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"lines": {"()": LineHandler, "log_format": log_format}},
        "formatters": {},
        "root": {"level": level.upper(), "handlers": ["lines"]},
        "loggers": {
            _SERVER: {"level": level.upper(), "handlers": [], "propagate": True},
            # Connexion logs every operation and every rejected request; the access log already has these.
            "connexion": {"level": "ERROR"},
            "alembic": {"level": "WARNING"},  # db.migrate says it in one line
        },
    }


def configure(level: str, log_format: str) -> None:
    """Configure Python's logging."""
    logging.config.dictConfig(configuration(level, log_format))


def log_prints() -> None:
    """With LOG_FORMAT=json, make events of what programs print, so that every line is JSON.

    Call it first: the reason why the service cannot start, such as an invalid setting, is printed too.
    """
    if os.environ.get("LOG_FORMAT", "").strip().lower() == "json":
        configure("info", "json")
        sys.stdout, sys.stderr = _Printed("stdout", logging.INFO), _Printed("stderr", logging.ERROR)
        sys.excepthook = _log_exception


def _log_exception(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    logging.getLogger(_SERVER).critical("Unexpected: %r", error, exc_info=(kind, error, traceback))


class _Printed(io.TextIOBase):
    """A stream that makes an event of what is printed at once, such as the message of `sys.exit`."""

    def __init__(self, name: str, level: int) -> None:
        super().__init__()
        self._logger = logging.getLogger(name)
        self._level = level
        self._text = ""

    def write(self, text: str) -> int:
        """Collect text up to the end of a line."""
        self._text += text
        if self._text.endswith("\n"):
            text, self._text = self._text.strip(), ""
            if text:
                self._logger.log(self._level, "%s", text)
        return len(text)

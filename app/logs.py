"""Logging: one line per event on stderr, with the request id."""

import logging
import logging.config
from typing import Any

from gunicorn.glogging import Logger

from contract.serving.request_ids import request_id


class RequestIdFilter(logging.Filter):
    """Adds the id of the current request to every record, or `-` outside of a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Set `request_id` and keep the record."""
        record.request_id = request_id.get()
        return True


class GunicornLogger(Logger):  # type: ignore[misc]  # Gunicorn has no types
    """Gunicorn's logger, but the access log is off without `accesslog`, even if there is a `logconfig_dict`."""

    @property
    def access_log_enabled(self) -> bool:
        """Return whether `accesslog` is set."""
        return bool(self.cfg.accesslog)


def configuration(level: str) -> dict[str, Any]:
    """Return the logging configuration of the service and of Gunicorn."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": RequestIdFilter}},
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]},
        },
        "root": {"level": level.upper(), "handlers": ["stderr"]},
        "loggers": {
            "gunicorn.error": {"level": level.upper(), "handlers": [], "propagate": True},
            "gunicorn.access": {"level": "INFO", "handlers": [], "propagate": True},
            # Connexion logs every operation and every rejected request; the access log already has these.
            "connexion": {"level": "ERROR"},
        },
    }


def configure(level: str) -> None:
    """Configure Python's logging."""
    logging.config.dictConfig(configuration(level))

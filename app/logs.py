"""Logging: one line an event, on stderr, each with the id of the request it belongs to."""

import logging
import logging.config
from typing import Any

from gunicorn.glogging import Logger

from contract.serving.request_ids import request_id


class RequestIdFilter(logging.Filter):
    """Gives every record the id of the present request, or `-` outside of one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Never drops a record."""
        record.request_id = request_id.get()
        return True


class GunicornLogger(Logger):  # type: ignore[misc]  # Gunicorn has no types
    """Gunicorn's logger, which would log every request as soon as there is a `logconfig_dict`."""

    @property
    def access_log_enabled(self) -> bool:
        """Whether requests are logged: what `accesslog` says."""
        return bool(self.cfg.accesslog)


def configuration(level: str) -> dict[str, Any]:
    """The configuration of Python's logging, for the service and for Gunicorn alike."""
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
            # Connexion tells of every operation and every refused request what our own log says once
            "connexion": {"level": "ERROR"},
        },
    }


def configure(level: str) -> None:
    """Set logging up."""
    logging.config.dictConfig(configuration(level))

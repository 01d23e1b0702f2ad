"""Slow requests and failed ones: one warning each, with the operation, the request id and the trace."""

import json
import logging
from typing import Any

import pytest

from app.log_formats import JsonFormatter, Served, TextFormatter
from app.slow_requests import SlowRequests
from contract.serving.request_ids import request_id
from contract.serving.traces import trace_id

TRACE = "0af7651916cd43dd8448eb211c80319c"


def _request(status: int, seconds: float, trace: str = "", path: str = "/items/1") -> Served:
    return (1700000000.25, "r1", "127.0.0.1", "GET", path, status, 9, seconds, "get_item", trace)


@pytest.mark.parametrize(
    ("status", "seconds", "message"),
    [
        (200, 0.999, None),
        (200, 1.0, "Slow: get_item, GET /items/1, 200 after 1000 ms"),
        (404, 2.5, "Slow: get_item, GET /items/1, 404 after 2500 ms"),
        (499, 0.1, None),
        (500, 0.001, "Failed: get_item, GET /items/1, 500 after 1 ms"),
        (503, 5.0, "Failed: get_item, GET /items/1, 503 after 5000 ms"),
    ],
)
def test_slow_and_failed_requests_are_logged(
    caplog: pytest.LogCaptureFixture, status: int, seconds: float, message: str | None
) -> None:
    """The limit belongs to the slow ones; below 500, a status is no failure of the service."""
    SlowRequests(1000)([_request(status, seconds)])
    assert caplog.messages == ([message] if message else [])


def test_zero_milliseconds_mean_never(caplog: pytest.LogCaptureFixture) -> None:
    """Failed ones are logged all the same."""
    SlowRequests(0)([_request(200, 3600), _request(500, 0)])
    assert caplog.messages == ["Failed: get_item, GET /items/1, 500 after 0 ms"]


class _Lines(logging.Handler):
    """Formats events at once, as the service does."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self.lines.append(self.format(record))


def _lines(formatter: logging.Formatter, request: Served) -> list[str]:
    handler = _Lines(formatter)
    logger = logging.getLogger("app.slow_requests")
    logger.addHandler(handler)
    try:
        SlowRequests(1000)([request])
    finally:
        logger.removeHandler(handler)
    assert (request_id.get(), trace_id.get()) == ("-", "")
    return handler.lines


def test_a_line_of_json_has_everything_as_properties() -> None:
    """The request id and the trace are those of the request, although it has ended."""
    (line,) = _lines(JsonFormatter(), _request(200, 1.5, TRACE))
    event: dict[str, Any] = json.loads(line)
    event.pop("time")
    assert event == {
        "level": "warning",
        "logger": "app.slow_requests",
        "request_id": "r1",
        "trace_id": TRACE,
        "operation": "get_item",
        "message": f"Slow: get_item, GET /items/1, 200 after 1500 ms, trace {TRACE}",
    }


def test_a_line_of_text_cannot_be_forged() -> None:
    """The path is percent-encoded, as in the access log."""
    (line,) = _lines(TextFormatter(colourful=False), _request(200, 1.5, path='/items?name=\n"x'))
    assert line.endswith(" [r1] Slow: get_item, GET /items?name=%0A%22x, 200 after 1500 ms")

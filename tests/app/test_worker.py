"""The worker's own answers, to what is not HTTP: problem details like all others."""

import json
from typing import Any

import pytest

from app.worker import Protocol, Worker
from tests.support import MADE_REQUEST_ID


class _Recording(Protocol):
    """A protocol without a connection, which keeps what it would send."""

    def __init__(self) -> None:
        self.written = b""

    def _safe_write(self, data: bytes) -> None:
        self.written += data


def _answer(status: int, message: str, **extra: str) -> tuple[str, dict[str, str], Any]:
    protocol = _Recording()
    protocol._send_error_response(status, message, list(extra.items()))
    head, _, body = protocol.written.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), json.loads(body)


@pytest.mark.parametrize(
    ("status", "message", "title", "detail"),
    [
        (400, "Invalid header", "Bad Request", "The request is not valid HTTP: Invalid header."),
        (400, " Invalid header. ", "Bad Request", "The request is not valid HTTP: Invalid header."),
        (400, "", "Bad Request", "The request is not valid HTTP: Bad Request."),
        (414, "x", "URI Too Long", "The address is longer than this service reads. Shorten it."),
        (
            431,
            "x",
            "Request Header Fields Too Large",
            "The headers are larger than this service reads. Send fewer or shorter ones.",
        ),
        (501, "Unsupported transfer coding", "Not Implemented", "Unsupported transfer coding."),
        (505, "", "HTTP Version Not Supported", "HTTP Version Not Supported."),
    ],
)
def test_a_refusal_of_the_server_is_a_problem(status: int, message: str, title: str, detail: str) -> None:
    """Whole, with a request id, and the last on its connection."""
    first, headers, body = _answer(status, message)
    assert first == f"HTTP/1.1 {status} {title}"
    assert body == {"type": "about:blank", "title": title, "status": status, "detail": detail}
    assert MADE_REQUEST_ID.fullmatch(headers.pop("X-Request-Id"))
    length = headers.pop("Content-Length")
    assert int(length) == len(json.dumps(body, separators=(",", ":"))) + 1
    assert headers == {"Content-Type": "application/problem+json", "Connection": "close"}


def test_headers_of_the_server_are_kept() -> None:
    """Those that it adds to its own errors."""
    _, headers, _ = _answer(400, "x", **{"Retry-After": "1"})
    assert headers["Retry-After"] == "1"


def test_the_worker_is_gunicorns_asgi_worker() -> None:
    """With graceful_timeout and all."""
    assert Worker.__mro__[1].__module__ == "gunicorn.workers.gasgi"

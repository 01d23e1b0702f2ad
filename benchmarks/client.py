"""One HTTP request and its answer, for the checks."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from typing import Any

TIMEOUT = 10.0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


def request(
    port: int,
    method: str,
    path: str,
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send a request to the loopback interface on a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()

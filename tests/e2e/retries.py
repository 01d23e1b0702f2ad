"""Clients that retry: each request has an idempotency key, and is sent again until there is a response."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.stack import SECONDS

RETRIED = {502, 503, 504}


@dataclass
class Done:
    """What a client has done: its items by id, and how many responses were replays of earlier ones."""

    items: dict[int, str] = field(default_factory=dict)
    replayed: int = 0
    retries: int = 0
    unexpected: list[Any] = field(default_factory=list)


class RetryingClient(threading.Thread):
    """Creates an item and renames it, over and over, until it is stopped. Names are unique."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._prefix = name
        self.done = Done()
        self.stop = threading.Event()

    def run(self) -> None:
        """Work until stopped; what was begun is finished."""
        number = 0
        while not self.stop.is_set():
            number += 1
            name = f"{self._prefix}-{number}"
            item = self._send("POST", "/items", name, 201)
            if item is not None and self._send("PATCH", f"/items/{item['id']}", f"{name}-renamed", 200):
                self.done.items[item["id"]] = f"{name}-renamed"

    def _send(self, method: str, path: str, name: str, expected: int) -> Any:
        headers = {"Content-Type": "application/json", "Idempotency-Key": name}
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)
            try:
                connection.request(method, path, json.dumps({"name": name}).encode(), headers)
                with connection.getresponse() as response:
                    body = response.read()
            except (OSError, http.client.HTTPException):
                self.done.retries += 1
                self.stop.wait(0.01)
                continue
            finally:
                connection.close()
            if response.status in RETRIED:
                self.done.retries += 1
                continue
            self.done.replayed += response.headers["Idempotency-Replayed"] == "true"
            if response.status == expected:
                return json.loads(body)
            self.done.unexpected.append((method, path, response.status, body))
            return None
        self.done.unexpected.append((method, path, "no response in time"))
        return None


@contextmanager
def retrying(port: int, number: int = 6) -> Iterator[list[RetryingClient]]:
    """Run this number of clients; at the end, they finish what they have begun."""
    clients = [RetryingClient(port, f"client-{index}") for index in range(number)]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.stop.set()
        for client in clients:
            client.join(2 * SECONDS)

"""Clients for upgrades: reads and idempotent writes, on kept and on new connections."""

import contextlib
import http.client
import itertools
import json
import select
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

from tests.e2e.stack import SECONDS, wait_until

Body = dict[str, str] | None


@dataclass
class Load:
    """The requests by kind, such as `kept PUT`, and those that failed with the reason.

    `reconnected` counts the kept connections that were closed just when a request was sent.
    """

    port: int
    sent: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    reconnected: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    def more(self, number: int = 100) -> None:
        """Wait for this number of further requests."""
        goal = self.sent.total() + number
        wait_until(lambda: self.sent.total() >= goal, f"{number} more requests", 60)


@dataclass
class Client:
    """Creates items, and reads, replaces and deletes each. A create has an Idempotency-Key."""

    load: Load
    keep: bool
    connection: http.client.HTTPConnection

    def use(self) -> None:
        """Send requests until the end."""
        with contextlib.closing(self.connection):
            for number in itertools.count():
                if self.load.done.is_set():
                    return
                self._item(number)

    def _item(self, number: int) -> None:
        key = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
        created = self._send(201, "POST", "/items", {"name": "Lamp"}, key)
        if not created:
            return
        path = f"/items/{json.loads(created)['id']}"
        self._send(200, "GET", path)
        self._send(200, "PUT", path, {"name": f"Lamp {number}"})
        self._send(200, "GET", "/items?limit=10")
        self._send(204, "DELETE", path)

    def _send(
        self, success: int, method: str, path: str, body: Body = None, headers: Mapping[str, str] = MappingProxyType({})
    ) -> bytes:
        """Send a request; return the body of a success, and otherwise nothing."""
        kind = f"{'kept' if self.keep else 'new'} {method}"
        if not self.keep or (self.connection.sock and select.select([self.connection.sock], [], [], 0)[0]):
            self.connection.close()  # every client looks, before it sends, whether the connection was closed meanwhile
        self.load.sent[kind] += 1
        try:
            response = self._respond(method, path, json.dumps(body).encode() if body else None, headers)
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.load.failed[f"{kind}: {error!r}"] += 1
            self.connection.close()
            return b""
        if response.status != success:
            self.load.failed[f"{kind}: {response.status}"] += 1
            return b""
        return content

    def _respond(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        """Send a request. On a kept connection that the server closes at this moment, repeat it on a new one.

        Every HTTP library does that for idempotent requests (RFC 9112 §9.3.1), and all of these are.
        """
        kept = self.connection.sock is not None
        headers = {"Content-Type": "application/json", **headers}
        try:
            self.connection.request(method, path, body, headers)
            return self.connection.getresponse()
        except (ConnectionResetError, BrokenPipeError):  # RemoteDisconnected is one of the first
            if not kept:
                raise
            self.load.reconnected += 1
            self.connection.close()
            self.connection.request(method, path, body, headers)
            return self.connection.getresponse()


@contextmanager
def upgrading(port: int, clients: int = 4) -> Iterator[Load]:
    """Use the service from this number of clients, half of them on kept connections."""
    load = Load(port)
    with ThreadPoolExecutor(clients) as pool:
        connections = (http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS) for _ in range(clients))
        running = [
            pool.submit(Client(load, keep=bool(number % 2), connection=connection).use)
            for number, connection in enumerate(connections)
        ]
        try:
            load.more()
            yield load
            load.more()
        finally:
            load.done.set()
        for client in running:
            client.result()

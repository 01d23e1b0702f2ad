"""Clients that create, change and delete items, some of it with idempotency keys, and record every response.

Each client has its own items and sends one request at a time. So its requests have one order, and at any moment at most
one of them has no response yet. A request with a key is sent again later, and must have the same response.
"""

import http.client
import json
import random
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SECONDS = 60
PREFIX = "powercut-"
RETRY = "retry"
_LETTERS = "abc äöü 漢字 🔌"
_KINDS = ("create", "create", "create", "update", "replace", "delete", RETRY)
_METHODS = {"create": "POST", "update": "PATCH", "replace": "PUT", "delete": "DELETE"}

Name = int | str
"""What is written: the id of an item, or the key that a response is kept for."""
Row = tuple[Any, ...]


class ReplayError(Exception):
    """A request was sent again with its key, and has another response."""


@dataclass
class Request:
    """A request, and its response. `item` is the id of the item that is written."""

    id: str
    client: int
    kind: str
    item: int
    status: int
    row: Row | None
    """The row after the request: the properties of the item and its version. None if it has no row."""
    key: str = ""
    kept: Row | None = None
    """The response that is kept for the key: its status and its body."""

    @property
    def changes(self) -> dict[Name, Row | None]:
        """What the request writes, as a whole or not at all. Nothing if it failed, or was done before."""
        if self.kind == RETRY or self.status >= http.client.BAD_REQUEST:
            return {}
        return {self.item: self.row} | ({self.key: self.kept} if self.key else {})


@dataclass(frozen=True)
class _Sendable:
    """What is sent, and sent again."""

    method: str
    path: str
    body: str | None
    headers: dict[str, str]

    def send(self, connection: http.client.HTTPConnection, request_id: str) -> tuple[http.client.HTTPResponse, str]:
        """Return the response and its body."""
        connection.request(self.method, self.path, self.body, self.headers | {"X-Request-Id": request_id})
        response = connection.getresponse()
        return response, response.read().decode()


@dataclass
class Client:
    """One client: `random` decides what it does, so that a seed repeats it."""

    number: int
    random: random.Random
    requests: list[Request] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    _keyed: list[tuple[_Sendable, Request]] = field(default_factory=list)

    def run(self, port: int, count: int) -> None:
        """Send this number of requests. Each connection has a few, so all workers get some."""
        while count > 0:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
            try:
                for _ in range(min(count, 10)):
                    self._step(connection)
            finally:
                connection.close()
            count -= 10

    def _step(self, connection: http.client.HTTPConnection) -> None:
        """Send one request. Each changes a whole row in a way of its own, so a mixture of two is found."""
        kind = self.random.choice(_KINDS)
        if kind == RETRY and self._keyed:
            self._retry(connection)
        elif kind in ("create", RETRY) or len(self.items) < 3:
            self._write(connection, "create", 0)
        else:
            self._write(connection, kind, self.random.choice(self.items))

    def _write(self, connection: http.client.HTTPConnection, kind: str, item: int) -> None:
        method, request_id = _METHODS[kind], self._next_id()
        kind = "update" if kind == "replace" else kind
        has_key = method in ("POST", "PATCH") and self.random.random() < 0.5
        key = f"{request_id}-{self.random.getrandbits(64):x}" if has_key else ""
        sendable = self._sendable(method, f"/items/{item}" if item else "/items", key, request_id)
        response, text = sendable.send(connection, request_id)
        done = response.status < http.client.BAD_REQUEST
        row = _row(json.loads(text), response.headers["ETag"]) if done and text else None
        if row and kind == "create":
            item = row[0]
            self.items.append(item)
        elif done and kind == "delete":
            self.items.remove(item)
        kept = (response.status, text) if key else None
        kind = f"{kind} with a key" if key else kind
        request = Request(request_id, self.number, kind, item, response.status, row, key, kept)
        self.requests.append(request)
        if key:
            self._keyed.append((sendable, request))

    def _retry(self, connection: http.client.HTTPConnection) -> None:
        """Send a request again that was done, perhaps before the service was killed. Raise `ReplayError`."""
        sendable, first = self.random.choice(self._keyed)
        request_id = self._next_id()
        response, text = sendable.send(connection, request_id)
        if (response.status, text) != first.kept or response.headers["Idempotency-Replayed"] != "true":
            raise ReplayError(f"{request_id} was done as {first.id}: {first.kept}, and then {response.status} {text}")
        self.requests.append(Request(request_id, self.number, RETRY, first.item, response.status, None))

    def _next_id(self) -> str:
        return f"{PREFIX}{self.number}-{len(self.requests)}"

    def _sendable(self, method: str, path: str, key: str, name: str) -> _Sendable:
        content_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        body = None if method == "DELETE" else json.dumps(self._content(name))
        headers = {"Content-Type": content_type} if body else {}
        return _Sendable(method, path, body, headers | ({"Idempotency-Key": key} if key else {}))

    def _content(self, name: str) -> dict[str, Any]:
        """Return an item: its name is unique, and its size is anything that the contract allows."""
        description = "".join(self.random.choices(_LETTERS, k=self.random.randint(1, 200)))
        return {"name": name, "description": self.random.choice((None, description))}


def _row(document: dict[str, Any], etag: str) -> Row:
    columns = ("id", "name", "description", "created_at", "updated_at")
    return (*(document[name] for name in columns), int(etag.strip('"')))


def run_together(clients: Sequence[Client], port: int, count: int) -> None:
    """Run the clients at the same time, with this number of requests each. Raise what one of them raises."""
    errors: list[Exception] = []

    def run(client: Client) -> None:
        try:
            client.run(port, count)
        except Exception as error:  # noqa: BLE001 -- raised below, in the thread that waits
            errors.append(error)

    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def save(file: Path, requests: Sequence[Request]) -> None:
    """Write the requests to a file."""
    file.write_text(json.dumps([asdict(request) for request in requests]), "utf-8")


def load(file: Path) -> list[Request]:
    """Read the requests that were saved."""
    return [_request(**saved) for saved in json.loads(file.read_text("utf-8"))]


def _request(row: list[Any] | None, kept: list[Any] | None, **others: Any) -> Request:
    """Return a request: JSON has lists in place of tuples."""
    return Request(**others, row=None if row is None else tuple(row), kept=None if kept is None else tuple(kept))

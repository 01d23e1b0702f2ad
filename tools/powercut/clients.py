"""Clients that create, change and delete items, and record every request with its response.

Each client has its own items and sends one request at a time. So its requests have one order, and at any moment at most
one of them has no response yet.
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
_LETTERS = "abc äöü 漢字 🔌"


@dataclass
class Request:
    """A request that writes, and its response. `item` is the id of the item that is written."""

    id: str
    client: int
    kind: str
    item: int
    status: int
    row: tuple[Any, ...] | None
    """The row after the request: the properties of the item and its version. None if it has no row."""

    @property
    def succeeded(self) -> bool:
        """Whether the response says that the write was done."""
        return self.status < http.client.BAD_REQUEST


@dataclass
class Client:
    """One client: `random` decides what it does, so that a seed repeats it."""

    number: int
    random: random.Random
    requests: list[Request] = field(default_factory=list)
    items: list[int] = field(default_factory=list)

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
        kind = self.random.choice(("create", "create", "create", "update", "replace", "delete"))
        if kind == "create" or len(self.items) < 3:
            self._send(connection, "create", "POST", "/items", 0)
            return
        item = self.random.choice(self.items)
        method = {"update": "PATCH", "replace": "PUT", "delete": "DELETE"}[kind]
        self._send(connection, "delete" if kind == "delete" else "update", method, f"/items/{item}", item)

    def _send(self, connection: http.client.HTTPConnection, kind: str, method: str, path: str, item: int) -> None:
        request_id = f"{PREFIX}{self.number}-{len(self.requests)}"
        content_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        body = None if method == "DELETE" else json.dumps(self._content(request_id))
        headers = {"X-Request-Id": request_id} | ({"Content-Type": content_type} if body else {})
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read()
        done = response.status < http.client.BAD_REQUEST
        row = _row(json.loads(text), response.headers["ETag"]) if done and text else None
        if row and kind == "create":
            item = row[0]
            self.items.append(item)
        elif done and kind == "delete":
            self.items.remove(item)
        self.requests.append(Request(request_id, self.number, kind, item, response.status, row))

    def _content(self, request_id: str) -> dict[str, Any]:
        """Return an item: its name is unique, and its size is anything that the contract allows."""
        description = "".join(self.random.choices(_LETTERS, k=self.random.randint(1, 200)))
        return {"name": request_id, "description": self.random.choice((None, description))}


def _row(document: dict[str, Any], etag: str) -> tuple[Any, ...]:
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
    saved = json.loads(file.read_text("utf-8"))
    return [Request(**{**one, "row": None if one["row"] is None else tuple(one["row"])}) for one in saved]

"""The same requests, put to both pipelines: what each answers, and where the two differ.

Each pipeline has a database of its own; as both get the same requests in the same order, their items are the same.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote_to_bytes

from app import create_app
from app.settings import Settings
from db import resources
from handlers.database import EXTENSION

_NOT_COMPARED = {"date", "server"}


@dataclass(frozen=True)
class Sent:
    """One request, as it is on the wire. The body comes in pieces; without `length`, it is chunked."""

    method: str
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: tuple[bytes, ...] = ()
    length: bool = True

    def scope(self) -> dict[str, Any]:
        """The request as ASGI has it."""
        path, _, query = self.target.partition(b"?")
        headers = [(b"host", b"localhost"), (b"x-request-id", b"the-same"), *self.headers]
        if self.body:
            size = str(sum(map(len, self.body))).encode()
            headers.append((b"content-length", size) if self.length else (b"transfer-encoding", b"chunked"))
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.method,
            "path": unquote_to_bytes(path).decode("utf-8", "surrogateescape"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "scheme": "http",
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 1),
            "state": {},
        }


@dataclass(frozen=True)
class Got:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Difference:
    """A known difference: where stock Connexion does something else, and why the compiled pipeline is right."""

    name: str
    applies: Callable[[Sent, Got, Got], bool]
    reason: str


# The one table of known differences between the pipelines on this service's contract. It is empty: what stock Connexion
# does otherwise by itself is set right through its own seams, in contract/stock.py. On other contracts there are some:
# tests/contract/specs/differences.py.
DIFFERENCES: tuple[Difference, ...] = ()


@dataclass
class Pair:
    """Both pipelines, side by side."""

    applications: dict[str, Any]
    loop: asyncio.AbstractEventLoop
    known: tuple[Difference, ...] = ()
    now: str = ""
    pairs: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    differences: Counter[str] = field(default_factory=Counter)

    def put(self, sent: Sent) -> Got:
        """Put a request to both; raise unless they agree, or differ in a way that is known."""
        self.now = f"2026-11-23T09:30:00.{self.pairs:06d}Z"
        stock, compiled = (self.loop.run_until_complete(_exchange(app, sent)) for app in self.applications.values())
        self.pairs += 1
        self.statuses[compiled.status] += 1
        if stock != compiled:
            known = [difference.name for difference in self.known if difference.applies(sent, stock, compiled)]
            assert known, f"{sent}\nstock:    {stock}\ncompiled: {compiled}"
            self.differences[known[0]] += 1
        return compiled

    def __str__(self) -> str:
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        return f"{self.pairs} pairs ({statuses}); known differences: {dict(self.differences) or 'none'}"


async def _exchange(application: Any, sent: Sent) -> Got:
    pieces = list(sent.body) or [b""]
    status, headers, body = 0, {}, b""

    async def receive() -> dict[str, Any]:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal status, headers, body
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            body += message.get("body", b"")

    await application(sent.scope(), receive, send)
    compared = {name: value for name, value in headers.items() if name not in _NOT_COMPARED}
    return Got(status, compared, body)


@contextmanager
def both(folder: Path, known: tuple[Difference, ...]) -> Iterator[Pair]:
    """Both pipelines, each on a new database."""
    applications = {}
    for pipeline in ("stock", "compiled"):
        environment = {"PIPELINE": pipeline, "DATABASE_URL": f"sqlite:///{folder}/{pipeline}.db"}
        applications[pipeline] = create_app(Settings.from_environ(environment))
        applications[pipeline].app.extensions[EXTENSION].create()
    loop = asyncio.new_event_loop()
    try:
        pair = Pair(applications, loop, known)
        with patch.object(resources, "_now", lambda: pair.now):  # one clock for both
            yield pair
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        for application in applications.values():
            application.app.extensions[EXTENSION].close()

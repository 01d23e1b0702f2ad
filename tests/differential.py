"""The same requests, sent to this engine and to plain, unmodified Connexion: where they differ, and why.

Each has a database of its own. Where a difference is explained, both databases start again, so that one difference does
not lead to others.
"""

import asyncio
import inspect
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from connexion import FlaskApp
from connexion.resolver import Resolver

from app import HANDLERS, SPECIFICATION, create_app
from app.settings import Settings
from contract.spec.loading import load
from contract.spec.operations import routes
from contract.spec.resolver import resolve_handlers
from db.engine import Database
from db.schema import metadata
from handlers.database import EXTENSION
from tests.explained import EXPLAINED

_READING = ("GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "BREW", "get")
_NOT_COMPARED = {"date", "server", "content-length", "x-request-id", "cache-control", "ratelimit", "ratelimit-policy"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_CURSOR = re.compile(r"cursor=[\w-]+")
_SEED = """
    INSERT INTO items (version, name, created_at, updated_at)
    SELECT 1, 'Desk lamp', '2026-11-23T09:30:00.000000Z', '2026-11-23T09:30:00.000000Z'
    FROM (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3)
"""


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


class Got(NamedTuple):
    """One response: status, headers, and body, without what differs from one request to the next."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass
class Pair:
    """Both engines, side by side."""

    plain: Any
    engine: Any
    databases: tuple[Database, Database]
    loop: asyncio.AbstractEventLoop
    pairs: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    explained: Counter[str] = field(default_factory=Counter)

    def put(self, sent: Sent) -> None:
        """Send a request to both. Raise unless the responses agree, or a row of the table explains the difference."""
        plain, engine = (self.loop.run_until_complete(_exchange(app, sent)) for app in (self.plain, self.engine))
        self.pairs += 1
        self.statuses[engine.status] += 1
        if plain != engine:
            row = next((row for row in EXPLAINED if row.applies(sent, plain, engine)), None)
            assert row is not None, f"{sent}\nplain Connexion: {plain}\nthis engine:     {engine}"
            self.explained[row.name] += 1
            if sent.method not in _READING:
                self.start_again()

    def start_again(self) -> None:
        """Give both databases the same items."""
        for database in self.databases:
            with database.write() as connection:
                for table in reversed(metadata.sorted_tables):
                    connection.execute(table.delete())
                connection.exec_driver_sql("DELETE FROM sqlite_sequence")
                connection.exec_driver_sql(_SEED)

    def __str__(self) -> str:
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        rows = ", ".join(f"{name}: {count}" for name, count in self.explained.most_common())
        return f"{self.pairs} pairs ({statuses}); {len(self.explained)} explained differences ({rows or 'none'})"


async def _exchange(application: Callable[..., Any], sent: Sent) -> Got:
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
            headers = {name.decode().lower(): _steady(value.decode("latin-1")) for name, value in message["headers"]}
        else:
            body += message.get("body", b"")

    try:
        await application(sent.scope(), receive, send)
    except Exception as error:  # noqa: BLE001  # plain Connexion raises after its 500, for the server to log
        assert status == 500, repr(error)  # noqa: PT017
    compared = {name: value for name, value in headers.items() if name not in _NOT_COMPARED}
    return Got(status, compared, _document(body))


def _steady(text: str) -> str:
    return _CURSOR.sub("cursor=…", _TIME.sub("…", text))


def _document(body: bytes) -> Any:
    try:
        return json.loads(_steady(body.decode()))
    except ValueError:
        return body


def _for_plain(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A handler as plain Connexion needs it: one that writes the headers itself that this engine adds."""

    @wraps(handler)
    def named(*args: Any, **kwargs: Any) -> Any:
        result = handler(*args, **kwargs)
        if inspect.iscoroutine(result):  # plain Connexion calls handlers on threads
            result = asyncio.run(result)
        data, status, headers = result if isinstance(result, tuple) and len(result) == 3 else (result, 200, {})
        if isinstance(result, tuple) and len(result) == 2:
            data, status = result
        added = {"X-Request-Id": "the-same", "Cache-Control": "no-store"} | (
            {} if data is None else {"Content-Type": "application/json"}
        )
        return data, status, headers | added

    return named


def plain_connexion(database: Database) -> FlaskApp:
    """Connexion as its documentation has it, with its strictest options, and this service's handlers."""
    document = load(SPECIFICATION)
    operations = [operation for route in routes(document) for operation in route.operations.values()]
    handlers, _ = resolve_handlers(operations, document, HANDLERS)
    application = FlaskApp(__name__, server_args={"static_folder": None})
    application.app.extensions[EXTENSION] = database
    application.add_api(
        SPECIFICATION,
        resolver=Resolver(lambda name: _for_plain(handlers[name])),
        strict_validation=True,
        validate_responses=True,
    )
    return application


@contextmanager
def both(folder: Path) -> Iterator[Pair]:
    """Both engines, each on a new database."""
    settings = [
        Settings.from_environ({"DATABASE_URL": f"sqlite:///{folder}/{name}.db"}) for name in ("plain", "engine")
    ]
    plain_database = Database(settings[0].database_url)
    engine = create_app(settings[1])
    databases = plain_database, engine.app.extensions[EXTENSION]
    for database in databases:
        database.create()
    loop = asyncio.new_event_loop()
    try:
        pair = Pair(plain_connexion(plain_database), engine, databases, loop)
        pair.start_again()
        yield pair
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        for database in databases:
            database.close()

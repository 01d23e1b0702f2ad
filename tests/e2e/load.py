"""Load with exact counts: clients that write as fast as possible and record the outcome of every request."""

import http.client
import json
import random
import select
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.stack import SECONDS


@dataclass
class Tally:
    """The outcomes: `sent`, `created` (201), `lost` (sent without a response) and `refused` (no connection)."""

    sent: int = 0
    created: list[int] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    refused: int = 0
    other: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        counts = f"{self.sent} sent, {len(self.created)} created, {len(self.other)} with another status"
        return f"{counts}, {len(self.lost)} lost, {self.refused} refused before they were sent"


class Writer(threading.Thread):
    """Creates one item after the other, each on a new connection, until it is stopped."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.tally = Tally()
        self.stop = threading.Event()

    def run(self) -> None:
        """Write until stopped."""
        while not self.stop.is_set():
            self._write()

    def _write(self) -> None:
        connection = self._connect()
        if connection is None:
            self.tally.refused += 1
            self.stop.wait(0.01)
            return
        self.tally.sent += 1
        try:
            connection.request("POST", "/items", b'{"name": "under load"}', {"Content-Type": "application/json"})
            with connection.getresponse() as response:
                body = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.tally.lost.append(repr(error))
        else:
            if response.status == http.client.CREATED:
                self.tally.created.append(json.loads(body)["id"])
            else:
                self.tally.other.append(response.status)
        finally:
            self._release(connection)

    def _connect(self) -> http.client.HTTPConnection | None:
        """Return an open connection; None if it is refused."""
        connection = self._new()
        try:
            connection.connect()
        except OSError:
            return None
        return connection

    def _new(self) -> http.client.HTTPConnection:
        """Return a connection that is not open yet."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)

    def _release(self, connection: http.client.HTTPConnection) -> None:
        """End the use of a connection."""
        connection.close()


class KeptWriter(Writer):
    """Keeps its connection until the service announces or does its end, and pauses for up to 20 ms in between."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._kept: http.client.HTTPConnection | None = None
        self._random = random.Random(id(self))

    def run(self) -> None:
        """Write until stopped."""
        super().run()
        if self._kept is not None:
            self._kept.close()

    def _connect(self) -> http.client.HTTPConnection | None:
        kept, self._kept = self._kept, None
        self.stop.wait(self._random.uniform(0, 0.02))
        if kept is not None and kept.sock is not None:
            if not select.select([kept.sock], [], [], 0)[0]:
                return kept
            kept.close()  # every client looks, before it sends, whether the connection was closed in the meantime
        return super()._connect()

    def _release(self, connection: http.client.HTTPConnection) -> None:
        self._kept = connection


class TlsWriter(KeptWriter):
    """Keeps its connection over TLS, and counts the connections that it has opened."""

    def __init__(self, port: int, authority: Path) -> None:
        super().__init__(port)
        self._context = ssl.create_default_context(cafile=str(authority))
        self.connections = 0

    def _new(self) -> http.client.HTTPConnection:
        self.connections += 1
        return http.client.HTTPSConnection("localhost", self.port, timeout=SECONDS, context=self._context)


@contextmanager
def load(port: int, clients: int = 4, kind: Callable[[int], Writer] = Writer) -> Iterator[list[Writer]]:
    """Run this number of writers."""
    writers = [kind(port) for _ in range(clients)]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        finish(writers)


def finish(writers: Sequence[Writer]) -> None:
    """Stop the writers and wait for the pending responses."""
    for writer in writers:
        writer.stop.set()
    for writer in writers:
        writer.join(SECONDS)


def total(writers: Sequence[Writer]) -> Tally:
    """Add up the tallies, and print the sum for the log of the test run."""
    tallies = [writer.tally for writer in writers]
    tally = Tally(
        sent=sum(one.sent for one in tallies),
        created=[item_id for one in tallies for item_id in one.created],
        lost=[error for one in tallies for error in one.lost],
        refused=sum(one.refused for one in tallies),
        other=[status for one in tallies for status in one.other],
    )
    print(tally)
    return tally


def created(writers: Sequence[Writer]) -> int:
    """Return the number of items created so far."""
    return sum(len(writer.tally.created) for writer in writers)

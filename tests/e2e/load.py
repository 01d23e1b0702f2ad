"""Load with exact counts: clients that write as fast as possible and record the outcome of every request."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.connect()
        except OSError:
            self.tally.refused += 1
            self.stop.wait(0.01)
            return
        self.tally.sent += 1
        try:
            connection.request("POST", "/items", b'{"name": "under load"}', {"Content-Type": "application/json"})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.tally.lost.append(repr(error))
        else:
            if response.status == http.client.CREATED:
                self.tally.created.append(json.loads(body)["id"])
            else:
                self.tally.other.append(response.status)
        finally:
            connection.close()


@contextmanager
def load(port: int, clients: int = 4) -> Iterator[list[Writer]]:
    """Run this number of writers."""
    writers = [Writer(port) for _ in range(clients)]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        finish(writers)


def finish(writers: list[Writer]) -> None:
    """Stop the writers and wait for the pending responses."""
    for writer in writers:
        writer.stop.set()
    for writer in writers:
        writer.join(SECONDS)


def total(writers: list[Writer]) -> Tally:
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


def created(writers: list[Writer]) -> int:
    """Return the number of items created so far."""
    return sum(len(writer.tally.created) for writer in writers)

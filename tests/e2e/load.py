"""Load that counts: clients that write as fast as they are answered, and know what became of every request."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.e2e.stack import SECONDS


@dataclass
class Tally:
    """What became of the requests: `sent`, `created` by the answer, `lost` without one, `refused` before."""

    sent: int = 0
    created: list[int] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    refused: int = 0
    other: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        counts = f"{self.sent} sent, {len(self.created)} answered 201, {len(self.other)} answered otherwise"
        return f"{counts}, {len(self.lost)} lost, {self.refused} refused before they were sent"


class Writer(threading.Thread):
    """Creates one item after the other, each on a connection of its own, until it is told to stop."""

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
    """So many clients at work."""
    writers = [Writer(port) for _ in range(clients)]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        finish(writers)


def finish(writers: list[Writer]) -> None:
    """Stop the clients and wait for the answers that are under way."""
    for writer in writers:
        writer.stop.set()
    for writer in writers:
        writer.join(SECONDS)


def total(writers: list[Writer]) -> Tally:
    """The clients' tallies in one; printed, so that a run shows its count."""
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


def answered(writers: list[Writer]) -> int:
    """How many items have been created up to now."""
    return sum(len(writer.tally.created) for writer in writers)

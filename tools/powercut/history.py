"""What the database can contain at a moment: what was acknowledged, and any of the requests without a response yet.

A request with a key writes a row and the response that is kept for it: both are there, or neither is.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum

from tools.powercut.clients import Name, Request, Row


class Outcome(StrEnum):
    """What a power cut has left."""

    OK = "ok"
    LOST = "lost"  # an acknowledged write is not there
    DAMAGED = "damaged"  # the database cannot be read, or has something that nobody has written


class History:
    """The requests of all clients, and the rows before the first one.

    Tell it the responses in their order; at any moment, compare it with a database.
    """

    def __init__(self, requests: Iterable[Request], rows: Mapping[Name, Row] | None = None) -> None:
        self._requests = {request.id: request for request in requests}
        self._next: dict[int, list[Request]] = defaultdict(list)  # of each client, the next one last
        for request in reversed(self._requests.values()):
            self._next[request.client].append(request)
        self._rows: dict[Name, Row | None] = dict(rows or {})
        self._former: dict[Name, set[Row | None]] = defaultdict(lambda: {None})
        self.highest_id = max((name for name in self._rows if isinstance(name, int)), default=0)

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each request that writes."""
        return {request.id: request.kind for request in self._requests.values() if request.changes}

    def sent(self, request_id: str) -> None:
        """Take the next response: from now on, its write must be in the database."""
        request = self._requests[request_id]
        following = self._next[request.client].pop()
        if following is not request:
            raise ValueError(f"the response to {request_id} is sent before that to {following.id}")
        if request.changes:
            self.highest_id = max(self.highest_id, request.item)
        for name, row in request.changes.items():
            self._former[name].add(self._rows.get(name))
            self._rows[name] = row

    def without_response(self) -> int:
        """Return the number of requests whose response was not sent yet."""
        return sum(map(len, self._next.values()))

    def compare(self, found: Mapping[Name, Row]) -> tuple[Outcome, str]:
        """Compare the rows of a database, and say what is wrong. A request without a response is done or not."""
        expected = dict(self._rows)
        for changes in [requests[-1].changes for requests in self._next.values() if requests]:
            if all(found.get(name) == row for name, row in changes.items()):
                expected |= changes
        worst = Outcome.OK, ""
        for name in found.keys() | expected.keys():
            row = found.get(name)
            if row == expected.get(name):
                continue
            text = f"{_described(name)} is {row}, not {expected.get(name)}"
            if row not in self._former[name]:
                return Outcome.DAMAGED, text
            worst = Outcome.LOST, text
        return worst


def _described(name: Name) -> str:
    return f"item {name}" if isinstance(name, int) else f"the response that is kept for {name}"

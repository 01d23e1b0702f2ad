"""What the database can contain at a moment: what was acknowledged, and any of the requests without a response yet."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from tools.powercut.clients import Request

Row = tuple[Any, ...]


class Outcome(StrEnum):
    """What a power cut has left."""

    OK = "ok"
    LOST = "lost"  # an acknowledged write is not there
    DAMAGED = "damaged"  # the database cannot be read, or has something that nobody has written


class History:
    """The requests of all clients, and the rows before the first one.

    Tell it the responses in their order; at any moment, compare it with a database.
    """

    def __init__(self, requests: Iterable[Request], rows: Mapping[int, Row] | None = None) -> None:
        self._requests = {request.id: request for request in requests}
        self._next: dict[int, list[Request]] = defaultdict(list)  # of each client, the next one last
        for request in reversed(self._requests.values()):
            self._next[request.client].append(request)
        self._rows: dict[int, Row] = dict(rows or {})
        self._former: dict[int, set[Row | None]] = defaultdict(lambda: {None})
        self.highest_id = max(self._rows, default=0)

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each request."""
        return {request.id: request.kind for request in self._requests.values()}

    def sent(self, request_id: str) -> None:
        """Take the next response: from now on, its write must be in the database."""
        request = self._requests[request_id]
        following = self._next[request.client].pop()
        if following is not request:
            raise ValueError(f"the response to {request_id} is sent before that to {following.id}")
        if request.succeeded:
            self._former[request.item].add(self._rows.pop(request.item, None))
            self.highest_id = max(self.highest_id, request.item)
            if request.row is not None:
                self._rows[request.item] = request.row

    def without_response(self) -> int:
        """Return the number of requests whose response was not sent yet."""
        return sum(map(len, self._next.values()))

    def compare(self, found: Mapping[int, Row]) -> tuple[Outcome, str]:
        """Compare the rows of a database, and say what is wrong. A request without a response is done or not."""
        possible = {(one[-1].item, one[-1].row) for one in self._next.values() if one and one[-1].succeeded}
        worst = Outcome.OK, ""
        for item in {item for item, _ in found.items() ^ self._rows.items()}:
            row, expected = found.get(item), self._rows.get(item)
            if (item, row) in possible:
                continue
            text = f"item {item} is {row}, not {expected}"
            if row not in self._former[item]:
                return Outcome.DAMAGED, text
            worst = Outcome.LOST, text
        return worst

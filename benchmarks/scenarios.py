"""What is asked of every contestant, and what the right answer is."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

from benchmarks.client import Answer
from benchmarks.client import request as send
from benchmarks.data import DISK, MEMORY, ROWS, item
from benchmarks.load import Request
from benchmarks.registry import Contestant
from benchmarks.server import Server

JSON = {"Content-Type": "application/json"}
# Read and written ids do not overlap, so that what is read stays known.
READ = range(1, ROWS // 2 + 1)
WRITTEN = range(ROWS // 2 + 1, ROWS + 1)
LAST_TIME: str = item(ROWS)["updated_at"]
NAME, DESCRIPTION = "Desk lamp", "Brass, with a green shade"


@dataclass(frozen=True, eq=False)
class Scenario:
    """A request, its status, and whether the answer is right beyond the status.

    `place` is where the database lies, `offered_by` tells who can answer so.
    """

    key: str
    title: str
    request: Request
    status: int
    right: Callable[[Answer], bool] = lambda _: True
    place: Path = MEMORY
    offered_by: Callable[[Contestant], bool] = lambda _: True

    @property
    def refused(self) -> bool:
        """Whether wrk counts the answer as an error."""
        return self.status >= HTTPStatus.BAD_REQUEST

    def on(self, server: Server) -> Request:
        """The request for this server, after one answer to it was checked.

        Raises RuntimeError when the answer is wrong.
        """
        request = self.request
        if self.status == HTTPStatus.NOT_MODIFIED:
            tag = send(server.port, "GET", request.address()).headers["ETag"]
            request = replace(request, headers={"If-None-Match": tag})
        answer = send(server.port, request.method, request.address(), request.body or None, request.headers)
        if answer.status != self.status or not self.right(answer):
            raise RuntimeError(f"{server.name}: {self.title}: {answer.status} {answer.body!r}")
        return request


def _created(answer: Answer) -> bool:
    body = answer.json()
    times = {key: body[key] for key in ("created_at", "updated_at")}
    return (
        all(time > LAST_TIME for time in times.values())
        and body["id"] > ROWS
        and body == {"id": body["id"], "name": NAME, "description": DESCRIPTION, **times}
    )


def _updated(answer: Answer) -> bool:
    body = answer.json()
    changed = {"description": DESCRIPTION, "updated_at": body["updated_at"]}
    return bool(body["updated_at"] > LAST_TIME) and body == item(WRITTEN[0]) | changed


CREATE = Request(
    "POST",
    "/items",
    body=f'{{"name": "{NAME}", "description": "{DESCRIPTION}"}}',
    headers=JSON,
)
SCENARIOS = (
    Scenario(
        "get-one",
        "GET one",
        Request("GET", "/items/{id}", READ),
        200,
        right=lambda answer: answer.json() == item(READ[0]),
    ),
    Scenario(
        "get-50",
        "GET 50",
        Request("GET", "/items?limit=50"),
        200,
        right=lambda answer: answer.json() == [item(n) for n in range(1, 51)],
    ),
    Scenario("post", "POST", CREATE, 201, right=_created),
    Scenario(
        "patch",
        "PATCH",
        Request(
            "PATCH",
            "/items/{id}",
            WRITTEN,
            body=f'{{"description": "{DESCRIPTION}"}}',
            headers=JSON,
        ),
        200,
        right=_updated,
    ),
    Scenario("post-disk", "POST, on disk", CREATE, 201, right=_created, place=DISK),
    Scenario(
        "404",
        "a 404",
        Request("GET", "/items/{id}", range(10**9, 10**9 + 1000)),
        404,
    ),
    Scenario(
        "400",
        "a 400 (name of 81 characters)",
        Request("POST", "/items", body=f'{{"name": "{"x" * 81}"}}', headers=JSON),
        400,
        offered_by=lambda contestant: contestant.validates,
    ),
    Scenario(
        "304",
        "a 304",
        Request("GET", "/items/1"),
        304,
        right=lambda answer: answer.body == b"",
        offered_by=lambda contestant: contestant.conditional,
    ),
)

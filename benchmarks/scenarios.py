"""The requests for all contestants, and the expected responses."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

from benchmarks.client import Response
from benchmarks.client import request as send
from benchmarks.data import DISK, MEMORY, ROWS, item
from benchmarks.load import CONNECTIONS, Request
from benchmarks.registry import Contestant
from benchmarks.server import Server

FEW, MANY = CONNECTIONS, 64
JSON = {"Content-Type": "application/json"}
# Scenarios that write use other ids than those that read, so the items that are read do not change.
READ = range(1, ROWS // 2 + 1)
WRITTEN = range(ROWS // 2 + 1, ROWS + 1)
LAST_TIME: str = item(ROWS)["updated_at"]
NAME, DESCRIPTION = "Desk lamp", "Brass, with a green shade"


@dataclass(frozen=True, eq=False)
class Scenario:
    """A request, its status, and a check of the response beyond the status.

    `place` is the folder of the database, `connections` are the numbers of connections it is measured with, and
    `offered_by` returns whether a contestant supports the scenario.
    """

    key: str
    title: str
    request: Request
    status: int
    right: Callable[[Response], bool] = lambda _: True
    place: Path = MEMORY
    connections: tuple[int, ...] = (FEW,)
    offered_by: Callable[[Contestant], bool] = lambda _: True

    @property
    def refused(self) -> bool:
        """Whether wrk counts the response as an error."""
        return self.status >= HTTPStatus.BAD_REQUEST

    def on(self, server: Server) -> Request:
        """Return the request for this server, after checking one response.

        Raises RuntimeError if the response is not the expected one.
        """
        request = self.request
        if self.status == HTTPStatus.NOT_MODIFIED:
            tag = send(server.port, "GET", request.url()).headers["ETag"]
            request = replace(request, headers={"If-None-Match": tag})
        response = send(server.port, request.method, request.url(), request.body or None, request.headers)
        if response.status != self.status or not self.right(response):
            raise RuntimeError(f"{server.name}: {self.title}: {response.status} {response.body!r}")
        return request


def _created(response: Response) -> bool:
    body = response.json()
    times = {key: body[key] for key in ("created_at", "updated_at")}
    return (
        all(time > LAST_TIME for time in times.values())
        and body["id"] > ROWS
        and body == {"id": body["id"], "name": NAME, "description": DESCRIPTION, **times}
    )


def _updated(response: Response) -> bool:
    body = response.json()
    changed = {"description": DESCRIPTION, "updated_at": body["updated_at"]}
    return bool(body["updated_at"] > LAST_TIME) and body == item(WRITTEN[0]) | changed


CREATE = Request(
    "POST",
    "/items",
    body=f'{{"name": "{NAME}", "description": "{DESCRIPTION}"}}',
    headers=JSON,
)
UPDATE = Request("PATCH", "/items/{id}", WRITTEN, body=f'{{"description": "{DESCRIPTION}"}}', headers=JSON)
SCENARIOS = (
    Scenario(
        "get-one",
        "GET one",
        Request("GET", "/items/{id}", READ),
        200,
        right=lambda response: response.json() == item(READ[0]),
        connections=(FEW, MANY),
    ),
    Scenario(
        "get-50",
        "GET 50",
        Request("GET", "/items?limit=50"),
        200,
        right=lambda response: response.json() == [item(n) for n in range(1, 51)],
        connections=(FEW, MANY),
    ),
    Scenario("post", "POST", CREATE, 201, right=_created, connections=(FEW, MANY)),
    Scenario("patch", "PATCH", UPDATE, 200, right=_updated),
    Scenario("post-durable", "POST, durable", CREATE, 201, right=_created, place=DISK, connections=(FEW, MANY)),
    Scenario("patch-durable", "PATCH, durable", UPDATE, 200, right=_updated, place=DISK),
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
    ),
    Scenario(
        "304",
        "a 304",
        Request("GET", "/items/1"),
        304,
        right=lambda response: response.body == b"",
        offered_by=lambda contestant: contestant.conditional,
    ),
)

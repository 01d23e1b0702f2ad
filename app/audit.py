"""The audit log: an entry for every request that changed something, in the transaction of the change.

So a write that is rolled back leaves no entry, and neither does a dry run, nor a response that is replayed.
"""

from datetime import timedelta
from urllib.parse import quote

from sqlalchemy import Connection

from contract import Call, Request, principal
from contract.responses.response import Response
from contract.serving.paths import request_path
from contract.serving.request_ids import request_id
from db import audit
from db.audit import Entry
from db.engine import Database


class AuditLog:
    """The capability, for every operation with an unsafe method. Entries are kept for `max_age`."""

    header = None
    kept = "entries of the audit log"

    def __init__(self, database: Database, max_age: timedelta) -> None:
        self._database = database
        self._max_age = max_age

    def respond(self, _value: None, request: Request, call: Call) -> Response:
        """Respond as the handler does, and note what it did."""
        with self._database.write() as connection:
            response = call()
            audit.add(connection, _entry(request, response))
            return response

    def remove_old(self, connection: Connection, limit: int) -> int:
        """Remove at most `limit` entries that are too old; return how many."""
        return audit.remove_old(connection, self._max_age, limit)


def _entry(request: Request, response: Response) -> Entry:
    sender, client = principal(), request.scope.get("client")
    return Entry(
        principal=sender.id if sender else "",
        operation=request.operation_id,
        method=request.scope["method"],
        resource=_resource(request, response),
        status=response.status,
        client=str(client[0]) if client and client[1] is not None else "",
        request_id=request_id.get(),
    )


def _resource(request: Request, response: Response) -> str:
    """Return the path of what was created, or else that of the request, without the prefix of a proxy."""
    if response.status == 201:
        for name, value in response.headers:
            if name == b"location":
                return value.decode("latin-1").removeprefix(request.scope.get("root_path", ""))
    return quote(request_path(request.scope), safe="/:@!$&'()*+,;=-._~")

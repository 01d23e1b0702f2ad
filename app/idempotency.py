"""`Idempotency-Key`: a request that is sent again gets the response to the first one, and changes nothing.

Draft `draft-ietf-httpapi-idempotency-key-header`. Every operation that declares the header has it. The response is
stored in the transaction of the change, so both are there or neither is.
"""

from datetime import timedelta
from hashlib import sha256

from sqlalchemy import Connection

from app.errors import database_problem
from contract import Call, Request, principal
from contract.problems import Problem
from contract.responses.encoder import problem_response
from contract.responses.response import Response
from db import idempotency
from db.engine import Database
from db.errors import DatabaseError
from db.idempotency import Kept, Scope

_PART_OF_REQUEST = ("Content-Type", "If-Match", "If-None-Match")
_IN_PROGRESS = "A request with this Idempotency-Key is being processed. Try again in a moment."
_REPLAYED = (b"idempotency-replayed", b"true")


class IdempotencyKeys:
    """The capability. Responses below 500 are kept for `max_age`."""

    header = "Idempotency-Key"
    kept = "responses to idempotency keys"

    def __init__(self, database: Database, max_age: timedelta) -> None:
        self._database = database
        self._max_age = max_age

    def respond(self, value: str, request: Request, call: Call) -> Response:
        """Respond with the kept response, or keep that of the handler. Raise 409 and 422."""
        sender = principal()
        scope = Scope(caller=sender.id if sender else "", operation=request.operation_id, key=value)
        fingerprint = _fingerprint(request)
        with self._database.write() as connection:
            if not idempotency.lock(connection, scope):
                raise Problem(409, _IN_PROGRESS, headers={"Retry-After": "1"})
            kept = idempotency.find(connection, scope, self._max_age)
            if kept is not None:
                return _replay(kept, fingerprint)
            try:
                with self._database.write():  # a problem undoes what the handler changed, and is kept
                    response = call()
            except (Problem, DatabaseError) as error:
                problem = error if isinstance(error, Problem) else database_problem(error)
                if problem is None or problem.status >= 500:
                    raise
                response = problem_response(problem)
            if isinstance(response.body, bytes):
                headers = [(name.decode("latin-1"), text.decode("latin-1")) for name, text in response.headers]
                idempotency.add(connection, scope, Kept(fingerprint, response.status, headers, response.body))
            return response

    def remove_old(self, connection: Connection, limit: int) -> int:
        """Remove at most `limit` responses that are too old or too many; return how many."""
        return idempotency.remove_old(connection, self._max_age, limit)


def _replay(kept: Kept, fingerprint: bytes) -> Response:
    if kept.fingerprint != fingerprint:
        raise Problem(422, "This Idempotency-Key was used for another request. Use a new key for each new request.")
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept.headers]
    return Response(kept.status, [*headers, _REPLAYED], kept.body)


def _fingerprint(request: Request) -> bytes:
    """Hash what makes two requests the same: path, query, body, and the headers that change their meaning."""
    parts = [request.scope["path"].encode(), request.scope["query_string"], request.content]
    parts += [(request.header(name) or "").encode() for name in _PART_OF_REQUEST]
    return sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts)).digest()

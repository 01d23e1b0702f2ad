"""`Prefer: dry-run` (RFC 7240): validate a request and respond as if it were done, and change nothing."""

from contract import Call, Request
from contract.responses.response import Response
from db.engine import Database

_APPLIED = (b"preference-applied", b"dry-run")


class _Undo(Exception):  # noqa: N818 -- it is no error
    """Ends a transaction that is not to be committed."""


class DryRun:
    """The capability, for every operation that declares `Prefer`. Other preferences are ignored (RFC 7240 §2)."""

    header = "Prefer"

    def __init__(self, database: Database) -> None:
        self._database = database

    def respond(self, value: str, _request: Request, call: Call) -> Response:
        """Respond as the handler does, and roll back its changes if the client prefers a dry run."""
        if not _prefers_dry_run(value):
            return call()
        response: Response
        try:
            with self._database.write():
                response = call()
                raise _Undo  # noqa: TRY301 -- only an exception undoes a transaction
        except _Undo:
            response.headers.append(_APPLIED)
            return response


def _prefers_dry_run(value: str) -> bool:
    """Return whether the list has the preference `dry-run`, which is case-insensitive (RFC 7240 §2)."""
    return any(preference.partition(";")[0].strip().lower() == "dry-run" for preference in value.split(","))

"""Maps exceptions to problems. An exception that is not in the map is a 500."""

from sqlalchemy.exc import SQLAlchemyError

from contract import ErrorMap
from contract.problems import Problem
from db import errors


def database_problem(error: SQLAlchemyError) -> Problem | None:
    """Return the problem for an error of the database; None if it is a 500."""
    failure = errors.failure(error)
    if failure is None:
        return None
    headers = {} if failure.retry_after is None else {"Retry-After": str(failure.retry_after)}
    return Problem(failure.status, failure.detail, headers=headers)


ERRORS: ErrorMap = {SQLAlchemyError: database_problem}

"""Which exceptions have a problem of their own; every other one is a 500."""

from sqlalchemy.exc import SQLAlchemyError

from contract import ErrorMap
from contract.problems import Problem
from db import errors


def _database_problem(error: SQLAlchemyError) -> Problem | None:
    failure = errors.failure(error)
    if failure is None:
        return None
    headers = {} if failure.retry_after is None else {"Retry-After": str(failure.retry_after)}
    return Problem(failure.status, failure.detail, headers=headers)


ERRORS: ErrorMap = {SQLAlchemyError: _database_problem}

"""Turns an error response into an exception."""

from typing import TypeVar

from ..models.problem import Problem
from ..types import Response, Unset

Body = TypeVar("Body")


class ProblemError(Exception):
    """An error response; `problem` is its body."""

    def __init__(self, problem: Problem) -> None:
        errors = [] if isinstance(problem.errors, Unset) else problem.errors
        places = [f"{place.pointer or place.parameter or place.header}: {place.detail}" for place in errors]
        super().__init__("; ".join([f"{problem.status} {problem.title}: {problem.detail}", *places]))
        self.problem = problem


def result(response: Response[Body | Problem]) -> Body:
    """Return the body of a successful response. Raise `ProblemError` for any other."""
    body = response.parsed
    if isinstance(body, Problem):
        raise ProblemError(body)
    if body is None:
        raise ValueError(f"The response has no body: {response.status_code}")
    return body

"""Exceptions become problems: the one place where an error becomes a response."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from connexion.exceptions import InternalServerError, ProblemException
from starlette.exceptions import HTTPException
from starlette.types import Scope
from werkzeug.exceptions import HTTPException as WerkzeugHTTPException
from werkzeug.exceptions import MethodNotAllowed, NotFound

from contract.problems import Problem, forget_frames, not_found, status_title
from contract.responses.encoder import problem_response
from contract.responses.response import Response
from contract.serving.problem_types import ProblemTypes
from contract.serving.request import OPERATION_ID
from contract.serving.request_ids import request_id
from contract.violations import OnViolation, ignore

logger = logging.getLogger("contract")
_REFUSED = (400, 406, 413, 415)
"""Statuses of the engine for requests that the contract does not allow. The problems of handlers do not come here."""
ErrorMap = Mapping[type[Exception], Callable[[Any], Problem | None]]
"""Which exceptions have a problem of their own. A function that returns None leaves the exception unexpected."""
UNEXPECTED = "Something went wrong on our side. Quote the request id when you report it."


class Exceptions:
    """Translates exceptions into problems, by an application's own table first.

    `types` are the types of problems; `on_violation` gets the requests that violate the contract.
    """

    def __init__(self, errors: ErrorMap, types: Mapping[int, str], on_violation: OnViolation = ignore) -> None:
        self._errors = errors
        self.types = ProblemTypes(types)
        self.on_violation = on_violation

    def response(self, error: Exception, scope: Scope) -> Response:
        """Return the response for an exception. What is unexpected is logged, and the client learns the request id."""
        response = self._response(error, scope)
        forget_frames(error)
        return response

    def _response(self, error: Exception, scope: Scope) -> Response:
        if isinstance(error, WerkzeugHTTPException) and error.response is not None:  # flask.abort(response)
            return _as_it_is(error.response)
        if isinstance(error, WerkzeugHTTPException) and (error.code or 500) < 400:  # a redirect of Flask's router
            return _as_it_is(error.get_response())
        return problem_response(self._problem(error, scope))

    def _problem(self, error: Exception, scope: Scope) -> Problem:
        if isinstance(error, Problem):
            if error.status in _REFUSED:
                self.on_violation("request", scope.get(OPERATION_ID, "-"))
            return error
        for kind, translate in self._errors.items():
            if isinstance(error, kind) and (problem := translate(error)):
                logger.warning("%d: %r", problem.status, error)
                return problem
        if isinstance(error, ProblemException) and not isinstance(error, InternalServerError):
            return _complete(error)
        if isinstance(error, HTTPException) and error.status_code < 500:
            return Problem(error.status_code, str(error.detail or status_title(error.status_code)))
        if isinstance(error, WerkzeugHTTPException) and 400 <= (error.code or 500) < 500:
            return _of_werkzeug(error, scope)
        logger.error("Unexpected: %r", error, exc_info=error)
        return Problem(500, UNEXPECTED, extensions={"request_id": request_id.get()})


def method_not_allowed(method: str, allowed: str) -> Problem:
    """Return the 405 for a method that a path does not have (RFC 9110 §15.5.6)."""
    return Problem(405, f"{method} is not allowed here; allowed methods: {allowed}.", headers={"Allow": allowed})


def _complete(error: ProblemException) -> Problem:
    """Return Connexion's problem with all its parts."""
    return Problem(
        error.status,
        str(error.detail or status_title(error.status)),
        headers={name: str(value) for name, value in (error.headers or {}).items()},
        extensions=error.ext,
        title=error.title,
        type_=error.type,
        instance=error.instance,
    )


def _of_werkzeug(error: WerkzeugHTTPException, scope: Scope) -> Problem:
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        return method_not_allowed(scope["method"], ", ".join(sorted(error.valid_methods)))
    if isinstance(error, NotFound) and error.description == NotFound.description:
        return not_found(scope["path"])
    return Problem(int(error.code or 400), str(error.description or status_title(int(error.code or 400))))


def _as_it_is(response: Any) -> Response:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    return Response(
        response.status_code, [pair for pair in headers if pair[0] != b"content-length"], response.get_data()
    )

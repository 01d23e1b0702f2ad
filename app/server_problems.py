"""The problems of the server: requests that are not valid HTTP, or that exceed its limits."""

from typing import Any

from app import prefix
from app.problem_pages import problem_types
from contract.problems import Problem, status_title

_DETAILS = {
    400: "The request is not valid HTTP: {reason}.",
    408: "The request did not arrive in time. Send it again.",
    414: "The URL is longer than this service accepts. Shorten it.",
    421: "This service does not serve the host in the URL; see its setting ALLOWED_HOSTS.",
    429: "Too many connections from this IP address. Close some, then try again.",
    431: "The headers are larger than this service accepts. Send fewer or shorter headers.",
    503: "The service has too many open connections. Try again in a moment.",
}


def server_problem(status: int, message: str, request: Any) -> Problem:
    """Return the problem for an error of the server. `request` is that of a trusted proxy, whose prefix counts."""
    reason = message.strip().rstrip(".") or status_title(status)
    detail = _DETAILS.get(status, "{reason}.").format(reason=reason)
    path = problem_types().get(status)
    if path and request:
        path = prefix.announced(request.headers_bytes) + path
    return Problem(status, detail, type_=path)

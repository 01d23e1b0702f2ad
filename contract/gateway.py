"""The outermost middleware: what HTTP asks of every answer, whatever pipeline makes it.

Request ids, `HEAD`, `OPTIONS`, `Allow`, `Accept`, the body's limit, and one place where exceptions become problems.
"""

import logging
import random
import re
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

from connexion.exceptions import ProblemException
from connexion.middleware.abstract import SpecMiddleware
from connexion.utils import is_json_mimetype
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send
from werkzeug.exceptions import HTTPException as WerkzeugHTTPException

from contract import bodies, negotiation, problems
from contract.parameters import header_text
from contract.problems import Problem
from contract.routes import Operation, Route, Routes, route_path

logger = logging.getLogger(__name__)
request_id: ContextVar[str] = ContextVar("request_id", default="-")
OPERATION = "contract.operation"
ADDED_HEADERS = frozenset({"X-Request-Id"})
_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._~:+/=@-]{1,64}")

ErrorMap = Mapping[type[Exception], Callable[[Any], Problem | None]]


class Gateway(SpecMiddleware):  # type: ignore[misc]  # Connexion has no types
    """ASGI middleware that every request passes first and every answer last.

    `errors` says which exceptions have a problem of their own; None from its function, or any other exception, is a
    500 that tells the client nothing but the request id.
    """

    def __init__(self, app: ASGIApp, errors: ErrorMap | None = None) -> None:
        self.app = app
        self.errors = errors or {}
        self.routes: list[Routes] = []
        self.body_limit = bodies.DEFAULT_LIMIT

    def add_api(self, specification: Any, base_path: str | None = None, **options: Any) -> None:
        """Called by Connexion once for each spec."""
        base = specification.base_path if base_path is None else base_path
        self.routes.append(Routes(specification, base, pythonic=bool(options.get("pythonic_params"))))
        self.body_limit = specification.raw.get("x-body-limit", bodies.DEFAULT_LIMIT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; whatever goes wrong is answered as a problem."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        identity = identify(header_text(scope["headers"], "x-request-id"))
        response = _Response(send, identity.encode(), bodiless=scope["method"] == "HEAD")
        try:
            await self._serve(scope, receive, response)
        except ClientDisconnect:
            logger.debug("The client went away before its request was complete")
        except Exception as error:
            if response.started:
                raise
            problem = problem_of(error, self.errors)
            await send_problem(problem, response)

    async def _serve(self, scope: Scope, receive: Receive, response: "_Response") -> None:
        path = route_path(scope)
        route = self._route(path)
        if route is None:
            if path.startswith("//") or "\n" in path:  # the routers behind see less than is there
                raise problems.nothing_at(scope["path"])
            await self.app(scope, receive, response)
            return
        method = scope["method"]
        if method == "OPTIONS" and method not in route.operations:
            headers = [(b"allow", route.allow.encode())]
            await response({"type": "http.response.start", "status": 204, "headers": headers})
            await response({"type": "http.response.body", "body": b""})
            return
        if method == "HEAD" and method not in route.operations:
            scope["method"] = method = "GET"
        operation = route.operations.get(method)
        if operation is None:
            raise Problem(
                405,
                f"{scope['method']} is not allowed here; allowed methods: {route.allow}.",
                headers={"Allow": route.allow},
            )
        negotiation.check_accept(header_text(scope["headers"], "accept"), operation.produces)
        length = header_text(scope["headers"], "content-length")
        if operation.request_body:
            _name_media_type(scope, operation, length)
        scope[OPERATION] = operation
        await self.app(scope, bodies.limited(receive, length, self.body_limit), response)

    def _route(self, path: str) -> Route | None:
        return next((match[0] for routes in self.routes if (match := routes.match(path))), None)


def problem_of(error: Exception, errors: ErrorMap) -> Problem:
    """The problem that an exception is answered with; what is unforeseen is logged whole."""
    if isinstance(error, Problem):
        return error
    for kind, translate in errors.items():
        if isinstance(error, kind) and (problem := translate(error)):
            logger.warning("%d: %r", problem.status, error)
            return problem
    if isinstance(error, ProblemException | HTTPException) and error.status_code < 500:
        return Problem(error.status_code, str(error.detail or problems.title(error.status_code)))
    if isinstance(error, WerkzeugHTTPException) and 400 <= (error.code or 500) < 500:  # flask.abort()
        return Problem(int(error.code or 400), str(error.description))
    logger.error("Unforeseen: %r", error, exc_info=error)
    detail = "Something went wrong on our side. Quote the request id when you report it."
    return Problem(500, detail, members={"request_id": request_id.get()})


class _Response:
    """`send` that adds the request id to every answer, leaves the body of an answer to HEAD out, and knows whether
    the answer has begun.
    """

    def __init__(self, send: Send, identity: bytes, *, bodiless: bool) -> None:
        self._send = send
        self._identity = identity
        self._bodiless = bodiless
        self.started = False

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self._identity)]
        elif self._bodiless:
            message = {**message, "body": b""}
        await self._send(message)


async def send_problem(problem: Problem, send: Send) -> None:
    """Send a problem as the whole answer."""
    body = problem.body()
    headers = [*problem.wire_headers(), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _name_media_type(scope: Scope, operation: Operation, length: str | None) -> None:
    """Check the body's media type; further in, Content-Type is that alone, as the spec writes it."""
    header = header_text(scope["headers"], "content-type")
    has_body = length not in (None, "0") or header_text(scope["headers"], "transfer-encoding") is not None
    name = negotiation.check_content_type(header, operation.consumes, has_body=has_body)
    if name is not None and is_json_mimetype(name):
        kept = [(key, value) for key, value in scope["headers"] if key != b"content-type"]
        scope["headers"] = [*kept, (b"content-type", name.encode())]


def identify(given: str | None) -> str:
    """The id of a request: the client's own if it is sane, else a new one. From here on, the log has it."""
    # No secret, and the kernel's random numbers would cost more than all the rest of this module.
    identity = (
        given if given and _SANE_REQUEST_ID.fullmatch(given) else random.getrandbits(128).to_bytes(16, "big").hex()
    )
    request_id.set(identity)
    return identity

"""Requests that other applications serve: the Flask application's pages, and Connexion's own pipeline."""

from collections.abc import Callable, MutableMapping, Sequence
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from connexion.context import operation, scope
from starlette.types import ASGIApp, Message, Scope, Send

from contract.problems import not_found
from contract.responses.response import Response
from contract.serving.cache_control import add_cache_control
from contract.serving.request import Interceptor, Request, Target, around
from contract.serving.request_ids import HEADER
from contract.serving.traces import TRACEPARENT
from contract.spec.operations import Operation

ASKED_BY = "contract.method"
"""The scope's key for the client's method, where another application gets another: GET for HEAD."""
_ROUTED = "contract.operation"


class ForwardedOperation(Target):
    """An operation with `x-pipeline: connexion`: plain Connexion serves it, behind this contract's router.

    Code around operations gets Connexion's response as a whole; without any, the response is passed on in pieces.
    """

    header_names = frozenset({HEADER, TRACEPARENT, b"content-length"})

    def __init__(self, described: Operation, methods: frozenset[str], interceptors: Sequence[Interceptor]) -> None:
        self.operation_id = described.operation_id
        self._method = described.method.upper()
        self._methods = methods
        self.forwards = not interceptors
        self.respond = around(self._collect, interceptors)
        self.app: ASGIApp | None = None
        """Connexion's middlewares, once they are built."""

    def scope(self, incoming: Scope) -> Scope:
        """Return the scope for Connexion: it learns which operation was chosen, and gets GET for HEAD."""
        method = incoming["method"] if incoming["method"] in self._methods else self._method
        return {**incoming, "method": method, ASKED_BY: incoming["method"], _ROUTED: self.operation_id}

    async def _collect(self, request: Request) -> Response:
        assert self.app is not None
        response = Response(500, [], b"")
        body: list[bytes] = []

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                response.status, response.headers = message["status"], list(message.get("headers", ()))
            else:
                body.append(message.get("body", b""))

        await self.app(self.scope(request.scope), request.receive, send)
        response.headers = [pair for pair in response.headers if pair[0].lower() != b"content-length"]
        response.body = b"".join(body)
        return response


def guarded(operation_id: str, handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return the handler for Connexion, refusing to run for a request that was routed to another operation.

    Connexion has two routers, Starlette's and Flask's. Where they choose differently, a request passes the security of
    one operation and reaches the handler of another.
    """

    def check() -> None:
        chosen = scope.get(_ROUTED)
        if chosen != operation_id or operation.operation_id != operation_id:
            raise not_found(scope["path"])

    if iscoroutinefunction(handler):

        @wraps(handler)
        async def guarded_coroutine(*args: Any, **kwargs: Any) -> Any:
            check()
            return await handler(*args, **kwargs)

        return guarded_coroutine

    @wraps(handler)
    def guarded_function(*args: Any, **kwargs: Any) -> Any:
        check()
        return handler(*args, **kwargs)

    return guarded_function


class ForwardedResponse:
    """`send` for another application: adds what every response has, leaves out the body for HEAD."""

    def __init__(self, send: Send, request_id: bytes, *, is_head: bool) -> None:
        self._send = send
        self._request_id = request_id
        self._is_head = is_head
        self.started = False

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.started = True
            headers = [(name.lower(), value) for name, value in message.get("headers", ())]
            headers.append((HEADER, self._request_id))
            add_cache_control(headers)
            message["headers"] = headers
        elif self._is_head:
            message = {**message, "body": b""}
        await self._send(message)

"""One request to an operation of the contract."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from starlette.types import Receive, Scope

from contract.requests.raw import read_headers
from contract.responses.response import Response
from contract.serving.request_ids import HEADER
from contract.serving.traces import TRACEPARENT


class Request:
    """A request on its way through an operation.

    `headers` are those that the operation reads; `path_values` the raw values of the path's parameters; `arguments` the
    decoded parameters and the body, once they are known; `content` the body as it was sent; `context` what security
    knows about the client; `operation_id` is set for capabilities; `response_headers` are for any response.
    """

    __slots__ = ("arguments", "content", "context", "headers", "operation_id", "path_values", "receive",
                 "response_headers", "scope")  # fmt: skip

    def __init__(
        self, scope: Scope, receive: Receive, headers: Mapping[bytes, str], path_values: tuple[str, ...]
    ) -> None:
        self.scope = scope
        self.receive = receive
        self.headers = headers
        self.path_values = path_values
        self.arguments: dict[str, Any] = {}
        self.operation_id = ""
        self.content = b""
        self.context: dict[str, Any] = {}
        self.response_headers: tuple[tuple[bytes, bytes], ...] = ()

    def header(self, name: str) -> str | None:
        """Return the value of any header; several lines of it are one list (RFC 9110 §5.3)."""
        key = name.lower().encode()
        return read_headers(self.scope["headers"], frozenset({key})).get(key)


Proceed = Callable[[Request], Awaitable[Response]]
"""What goes on with a request: the next interceptor, or the operation itself."""
Interceptor = Callable[[Request, Proceed], Awaitable[Response]]
"""Code around an operation. It sees every response to a request of that operation, problems among them."""


OPERATION_ID = "contract.operation_id"
"""The scope's key for the operation that serves the request, for the server. Pages outside of the contract lack it."""


class Target:
    """What serves the requests of a path and a method. `header_names` are the headers that it reads, in lower case.

    `operation_id` is `-` if it is no operation of the contract. `forwards`: another application serves the request,
    with the scope that `scope()` makes of it.
    """

    header_names: frozenset[bytes] = frozenset({HEADER, TRACEPARENT})
    operation_id = "-"
    forwards = False
    respond: Proceed

    def scope(self, incoming: Scope) -> Scope:
        """Return the scope for the other application."""
        return incoming


def around(respond: Proceed, interceptors: Sequence[Interceptor]) -> Proceed:
    """Return `respond` with the interceptors around it, the first one outermost."""
    for interceptor in reversed(interceptors):
        respond = partial(_intercept, interceptor, respond)
    return respond


async def _intercept(interceptor: Interceptor, proceed: Proceed, request: Request) -> Response:
    return await interceptor(request, proceed)

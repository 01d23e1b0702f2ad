"""An operation of the contract at work: decode, validate, call the handler, validate, encode."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect

from contract import connexion_internals
from contract.media_types import Accept
from contract.problems import MAX_ERRORS, Problem, bad_request, forget_frames
from contract.requests.bodies import Body, check_length, limited, read_body, replayed
from contract.requests.parameters import Parameters
from contract.responses.encoder import Encoder
from contract.responses.response import Response
from contract.serving.access import Guard
from contract.serving.capabilities import Capabilities
from contract.serving.exceptions import Exceptions
from contract.serving.limits import Admit
from contract.serving.request import Interceptor, Request, Target, around
from contract.serving.traces import TRACEPARENT

Handler = Callable[..., Any]
Run = Callable[[Callable[[], Any]], Awaitable[Any]]
ApplicationContext = Callable[[], AbstractContextManager[Any]]
_ALWAYS_READ = frozenset(
    {
        b"x-request-id",
        TRACEPARENT,
        b"accept",
        b"content-type",
        b"content-encoding",
        b"content-length",
        b"transfer-encoding",
    }
)


@dataclass(frozen=True)
class Parts:
    """What an operation is compiled into."""

    parameters: Parameters
    body: Body | None
    encoder: Encoder
    accept: Accept
    connexion_operation: Any
    guard: Guard | None
    authenticate: connexion_internals.Authenticate | None
    is_safe: bool
    capabilities: Capabilities
    admit: Admit | None
    operation_id: str


@dataclass(frozen=True)
class Runtime:
    """What all operations share.

    `run` calls the plain handlers of operations with safe methods, `run_unsafe` the others; None: on the event loop.
    """

    application_context: ApplicationContext
    run: Run | None
    run_unsafe: Run | None
    exceptions: Exceptions
    body_limit: int


class CompiledOperation(Target):
    """One operation, compiled. `respond` is the whole way of a request."""

    def __init__(self, handler: Handler, parts: Parts, runtime: Runtime, interceptors: Sequence[Interceptor]) -> None:
        self.operation_id = parts.operation_id
        self.header_names = _ALWAYS_READ | parts.parameters.header_names
        self._guard = parts.guard
        if parts.guard is not None:
            self.header_names |= parts.guard.header_names
        self._handler = handler
        self._is_async = inspect.iscoroutinefunction(handler)
        self._run = runtime.run if parts.is_safe else runtime.run_unsafe
        self._on_loop = self._run is None and not self._is_async
        self._parts = parts
        self._parameters = parts.parameters
        self._encoder = parts.encoder
        self._accept = parts.accept
        self._connexion_operation = parts.connexion_operation
        self._runtime = runtime
        self._application_context = runtime.application_context
        self._capabilities = parts.capabilities
        self._admit = parts.admit if parts.authenticate is None else None
        self._is_simple = parts.body is None and parts.authenticate is None
        self._select_arguments = _argument_selector(handler, parts)
        self.respond = around(self._with_problems, interceptors) if interceptors else self._respond

    async def _respond(self, request: Request) -> Response:
        """Serve a request. Raise `Problem` for what the contract does not allow."""
        if self._guard is not None:
            await self._guard.check(request)
        headers = request.headers
        if self._admit is not None:
            self._admit(request)
        if b"accept" in headers:
            self._accept.check(headers[b"accept"])
        if self._is_simple and b"content-length" not in headers and b"transfer-encoding" not in headers:
            arguments, violations = self._parameters.read(request.path_values, request.scope["query_string"], headers)
        else:
            arguments, violations = await self._receive(request)
        if violations:
            raise bad_request(violations)
        request.arguments = arguments
        arguments = self._select_arguments(arguments, request.context)
        connexion_internals.bind_context(request.scope, request.receive, self._connexion_operation, request.context)
        try:
            if self._on_loop and not self._capabilities.wanted(request):
                with self._application_context():
                    result = self._handler(**arguments)
            elif self._is_async:
                with self._application_context():
                    result = await self._handler(**arguments)
            else:
                return await self._call_elsewhere(request, arguments)
            return self._encoder.encode(result)
        except Problem as problem:
            response = self._encoder.encode_problem(problem)
            forget_frames(problem)
            return response

    async def _receive(self, request: Request) -> tuple[dict[str, Any], list[Any]]:
        """Authenticate the client and read the body; return the arguments and the violations."""
        body, limit = self._parts.body, self._runtime.body_limit
        headers = request.headers
        reader = body.reader(headers) if body is not None else None
        check_length(headers.get(b"content-length"), limit)
        if self._parts.authenticate is not None:
            request.receive = limited(request.receive, limit)
            request.context = await self._parts.authenticate(request.scope, request.receive)
            if self._parts.admit is not None:  # now that the client is known
                self._parts.admit(request)
        arguments, violations = self._parameters.read(request.path_values, request.scope["query_string"], headers)
        if body is None:
            request.receive = limited(request.receive, limit)
            return arguments, violations
        request.content = content = await read_body(request.receive, limit)
        request.receive = replayed(content, request.receive)
        if len(violations) <= MAX_ERRORS:  # else there are more than a problem lists
            violations += body.read(reader, content, headers, arguments)
        return arguments, violations

    async def _call_elsewhere(self, request: Request, arguments: dict[str, Any]) -> Response:
        """Call a plain handler inside of the capabilities that the request asks for, as the application runs it.

        The response is encoded there too: one that violates the contract undoes what the handler wrote.
        """
        call = self._capabilities.around(partial(self._call, arguments), request)
        if self._run is None:
            return call()
        response: Response = await self._run(partial(copy_context().run, call))
        return response

    def _call(self, arguments: dict[str, Any]) -> Response:
        try:
            with self._application_context():
                result = self._handler(**arguments)
        except StopIteration as error:  # no future can hold it
            raise RuntimeError("the handler raised StopIteration") from error
        return self._encoder.encode(result)

    async def _with_problems(self, request: Request) -> Response:
        """Serve a request; exceptions become responses here, so that interceptors see them."""
        try:
            return await self._respond(request)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 -- as in the middleware, one step further in
            return self._runtime.exceptions.response(error, request.scope)


def _argument_selector(handler: Handler, parts: Parts) -> Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any]]:
    """Return what selects the arguments that the handler takes, out of the request's and Connexion's."""
    taken = inspect.signature(handler).parameters
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values())
    not_taken = parts.capabilities.arguments
    declared = parts.parameters.arguments - not_taken
    if parts.body is not None:
        declared = declared | {parts.body.argument} | parts.body.file_arguments
    takes_declared = takes_all or declared <= taken.keys()

    def select(arguments: dict[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
        if not not_taken.isdisjoint(arguments):
            arguments = {name: arguments[name] for name in arguments if name not in not_taken}
        if not context and takes_declared:
            return arguments
        arguments = {**arguments, **context}
        if "context_" in taken:
            arguments["context_"] = context
        return arguments if takes_all else {name: arguments[name] for name in arguments if name in taken}

    return select

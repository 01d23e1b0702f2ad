"""The compiled pipeline: an operation of the spec, turned once into what runs on every request.

`CompiledContract` is a Connexion middleware in front of the gateway and the stock stack. Whatever it cannot compile
falls through to them, operation by operation, decided and logged at start.
"""

import asyncio
import inspect
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from contextvars import copy_context
from copy import deepcopy
from functools import lru_cache
from typing import Any

from connexion.context import _context, _operation, _receive, _scope
from connexion.middleware.abstract import SpecMiddleware
from connexion.middleware.security import SecurityOperation
from connexion.security import SecurityHandlerFactory
from connexion.uri_parsing import OpenAPIURIParser
from connexion.utils import is_json_mimetype
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from contract import bodies, documents, negotiation
from contract.gateway import ADDED_HEADERS, ErrorMap, identify, problem_of
from contract.parameters import ABSENT, NOT_UTF_8, Parameter, cookie_texts, is_text, query_texts, unknown_parameters
from contract.problems import Problem, Violation, bad_request
from contract.responses import Responses
from contract.routes import Operation, Routes, route_path
from contract.schemas import Document, Schema, Uncompilable, resolve
from contract.violations import pointer

logger = logging.getLogger(__name__)
Handler = Callable[..., Any]
ApplicationContext = Callable[[], AbstractContextManager[Any]]
_READ_ALWAYS = (b"x-request-id", b"accept", b"content-type", b"content-length", b"transfer-encoding")
_MEMORY = 256  # values of a header, or query strings, that are remembered with what they mean


class Body:
    """An operation's request body: its media types, each with its schema."""

    def __init__(self, operation: Operation, document: Document) -> None:
        definition = operation.request_body or {}
        self.argument = operation.body_argument
        self.consumes = operation.consumes
        self.required = bool(definition.get("required"))
        self._schemas: dict[str | None, Schema] = {}
        self._defaults: dict[str | None, Any] = {}
        for name, part in definition.get("content", {}).items():
            if not is_json_mimetype(name) or "*" in name or "schema" not in part:
                raise Uncompilable(f"its request body can have the media type {name}")
            self._schemas[name] = Schema(part["schema"], document)
            declared = resolve(document, part["schema"])
            self._defaults[name] = None if declared.get("nullable") else declared.get("default", {})
        self._remembered: dict[str, str] = {}

    def media_type(self, headers: Mapping[bytes, str]) -> str | None:
        """The media type of the body that these headers announce; 415 if it is not in the contract."""
        header = headers.get(b"content-type")
        if header is not None and header in self._remembered:
            return self._remembered[header]
        has_body = headers.get(b"content-length", "0") != "0" or b"transfer-encoding" in headers
        name = negotiation.check_content_type(header, self.consumes, has_body=has_body)
        if header is not None and name is not None and len(self._remembered) < _MEMORY:
            self._remembered[header] = name
        return name

    def parse(self, body: bytes, media_type: str | None) -> tuple[Any, list[Violation]]:
        """The document in a body, and its violations."""
        if not body:
            default = deepcopy(self._defaults[media_type] if media_type else self._defaults[self.consumes[0]] or {})
            return default, [Violation("pointer", "", "is required")] if self.required else []
        if media_type is None:
            negotiation.check_content_type(None, self.consumes, has_body=True)
        document = documents.parse(body)
        schema = self._schemas[media_type]
        if schema.is_valid(document):
            return document, []
        return document, [Violation("pointer", pointer(path), detail) for path, detail in schema.violations(document)]


class CompiledOperation:
    """One operation: from the request's texts to the handler's arguments, and from what it returns to bytes."""

    def __init__(
        self,
        operation: Operation,
        handler: Handler,
        document: Document,
        *,
        path_parameters: tuple[str, ...],
        security_queries: frozenset[str],
        strict: bool,
        enforce: bool,
    ) -> None:
        self.operation_id = operation.operation_id
        self.handler = handler
        self.is_async = inspect.iscoroutinefunction(handler)
        self.produces = operation.produces
        self.body = Body(operation, document) if operation.request_body else None
        self.responses = Responses(operation, document, ADDED_HEADERS, enforce=enforce)
        parameters = [Parameter(parameter, document, pythonic=operation.pythonic) for parameter in operation.parameters]
        self._query = {p.name: p for p in parameters if p.place == "query"}
        self._headers = [(p.name.lower().encode(), p) for p in parameters if p.place == "header"]
        self._cookies = [p for p in parameters if p.place == "cookie"]
        by_name = {p.name: p for p in parameters if p.place == "path"}
        self._path = [by_name[name] for name in path_parameters]
        self._strict = strict
        self._defaults = {p.argument: p.default for p in parameters if p.default is not ABSENT}
        are_mutable = any(isinstance(default, dict | list) for default in self._defaults.values())
        self._fresh_defaults = deepcopy if are_mutable else dict
        are_scalar = all(parameter.is_scalar for parameter in self._query.values())  # or a handler could change them
        self._remembered_query = lru_cache(_MEMORY)(self._read_query) if are_scalar else self._read_query
        self._requires_query = any(parameter.required for parameter in self._query.values())
        self._known_queries = self._query.keys() | security_queries
        self._accepted: dict[str, bool] = {}
        taken = inspect.signature(handler).parameters
        declared = {p.argument for p in parameters} | ({self.body.argument} if self.body else set())
        self._takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values())
        self._takes = frozenset(taken)
        self._takes_declared = self._takes_all or declared <= self._takes
        self.wanted = frozenset(
            {*_READ_ALWAYS, *(key for key, _ in self._headers), *([b"cookie"] * bool(self._cookies))}
        )

    def check_accept(self, accept: str | None) -> None:
        """406 if `Accept` rules out all that can be sent."""
        if accept is None or accept in self._accepted:
            return
        negotiation.check_accept(accept, self.produces)
        if len(self._accepted) < _MEMORY:
            self._accepted[accept] = True

    def arguments(
        self, query_string: bytes, texts: tuple[str, ...], headers: Mapping[bytes, str]
    ) -> tuple[dict[str, Any], list[Violation]]:
        """The handler's arguments out of path, query, headers and cookies, and the violations there are."""
        arguments = self._fresh_defaults(self._defaults)
        found: list[Violation] = []
        for parameter, text in zip(self._path, texts, strict=True):
            value = parameter.decode_one(text)
            if text.isascii() and parameter.is_valid(value):
                arguments[parameter.argument] = value
            elif is_text(text):
                _read(parameter, [text], arguments, found)
            else:
                found.append(Violation("parameter", parameter.name, NOT_UTF_8.detail))
        if query_string or self._requires_query:
            read_query = self._remembered_query if len(query_string) < _MEMORY else self._read_query
            values, wrong = read_query(query_string)
            if NOT_UTF_8 in wrong:  # then nobody knows what it says
                return arguments, [NOT_UTF_8]
            arguments |= values
            found += wrong
        for key, parameter in self._headers:
            if key in headers:
                _read(parameter, [headers[key]], arguments, found)
            elif parameter.required:
                _read(parameter, [], arguments, found)
        if self._cookies:
            cookies = cookie_texts(headers.get(b"cookie"))
            for parameter in self._cookies:
                _read(parameter, [cookies[parameter.name]] if parameter.name in cookies else [], arguments, found)
        return arguments, found

    def _read_query(self, query_string: bytes) -> tuple[dict[str, Any], list[Violation]]:
        """The arguments in a query string, and its violations."""
        arguments: dict[str, Any] = {}
        try:
            given = query_texts(query_string)
        except UnicodeDecodeError:
            return arguments, [NOT_UTF_8]
        found: list[Violation] = []
        if self._strict and not given.keys() <= self._known_queries:
            found += unknown_parameters(given, self._known_queries)
        for name, parameter in self._query.items():
            if name in given or parameter.required:
                _read(parameter, given.get(name, []), arguments, found)
        return arguments, found

    def taken(self, arguments: dict[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the arguments, and of what security knows of the client, that the handler takes."""
        if context:
            arguments |= context
        elif self._takes_declared:
            return arguments
        return {name: value for name, value in arguments.items() if self._takes_all or name in self._takes}


def _read(parameter: Parameter, texts: list[str], arguments: dict[str, Any], found: list[Violation]) -> None:
    if texts:
        value = parameter.decode(texts)
        if value is not ABSENT and parameter.is_valid(value):
            arguments[parameter.argument] = value
            return
    found.extend(parameter.violations(texts))


class CompiledContract(SpecMiddleware):  # type: ignore[misc]  # Connexion has no types
    """ASGI middleware that serves what it could compile, and hands the rest on to `app`.

    `application_context` is what handlers run in, such as `flask_app.app_context`. Handlers run on the event loop, or,
    with an `executor`, on its threads. Without `enforce`, an answer that is not in the contract is logged and sent.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        application_context: ApplicationContext,
        errors: ErrorMap | None = None,
        executor: Executor | None = None,
        enforce: bool = True,
    ) -> None:
        self.app = app
        self._application_context = application_context
        self._errors = errors or {}
        self._executor = executor
        self._enforce = enforce
        self._limit = bodies.DEFAULT_LIMIT
        self._fixed: dict[str, dict[str, _Served]] = {}
        self._templates: list[tuple[Callable[[str], re.Match[str] | None], dict[str, _Served]]] = []

    def add_api(self, specification: Any, base_path: str | None = None, **options: Any) -> None:
        """Compile the operations of a spec; called by Connexion once for each."""
        document = Document(specification.raw)
        base = specification.base_path if base_path is None else base_path
        self._limit = document.get("x-body-limit", bodies.DEFAULT_LIMIT)
        try:
            routes = Routes(document, base, pythonic=bool(options.get("pythonic_params")))
        except Uncompilable as reason:
            logger.info("Every operation is served by Connexion: %s", reason)
            return
        for route in routes.by_precedence:
            served = {}
            for method, operation in route.operations.items():
                try:
                    served[method] = self._compile(specification, document, operation, route.path_parameters, options)
                except Uncompilable as reason:
                    logger.info("%s is served by Connexion: %s", operation.operation_id, reason)
            if route.path_parameters:
                self._templates.append((re.compile(route.pattern).fullmatch, served))
            else:
                self._fixed[route.path] = served

    def _compile(
        self,
        specification: Any,
        document: Document,
        operation: Operation,
        path_parameters: tuple[str, ...],
        options: Mapping[str, Any],
    ) -> "_Served":
        if operation.definition.get("x-contract-stock"):
            raise Uncompilable("it asks for it (x-contract-stock)")
        uri_parser = options.get("uri_parser_class") or OpenAPIURIParser
        if uri_parser is not OpenAPIURIParser and any(p["in"] in ("path", "query") for p in operation.parameters):
            raise Uncompilable(f"its parameters are for {uri_parser.__name__} to read (uri_parser_class)")
        connexion_operation = specification.operation_cls.from_spec(
            specification,
            path=operation.path,
            method=operation.method,
            resolver=options["resolver"],
            uri_parser_class=options.get("uri_parser_class"),
        )
        compiled = CompiledOperation(
            operation,
            connexion_operation.function,
            document,
            path_parameters=path_parameters,
            security_queries=_security_queries(connexion_operation),
            strict=bool(options.get("strict_validation")),
            enforce=self._enforce,
        )
        security = None
        if connexion_operation.security:
            factory = SecurityHandlerFactory(options.get("security_map"))
            security = SecurityOperation.from_operation(
                connexion_operation, next_app=_nothing, security_handler_factory=factory
            )
        return _Served(compiled, connexion_operation, security)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or hand it on."""
        found = self._match(scope) if scope["type"] == "http" else None
        if found is None:
            await self.app(scope, receive, send)
            return
        served, texts = found
        operation = served.operation
        headers = _wanted(scope["headers"], operation.wanted)
        identity = identify(headers.get(b"x-request-id"))
        try:
            operation.check_accept(headers.get(b"accept"))
            if served.is_immediate and b"content-length" not in headers and b"transfer-encoding" not in headers:
                arguments, wrong = operation.arguments(scope["query_string"], texts, headers)
                context: dict[str, Any] = {}
            else:
                arguments, wrong, receive, context = await self._received(served, scope, receive, headers, texts)
            if wrong:
                raise bad_request(wrong)  # noqa: TRY301 -- a function more costs what it does
            _scope.set(scope)
            _receive.set(receive)
            _operation.set(served.connexion_operation)
            _context.set(context)
            arguments = operation.taken(arguments, context)
            try:
                if self._executor is None and not operation.is_async:
                    with self._application_context():
                        returned = operation.handler(**arguments)
                else:
                    returned = await self._awaited(operation, arguments)
                status, wire, body = operation.responses.answer(returned)
            except Problem as problem:
                status, wire, body = operation.responses.problem(problem)
        except ClientDisconnect:
            logger.debug("The client went away before its request was complete")
            return
        except Exception as error:  # noqa: BLE001 -- the edge of the process
            unforeseen = problem_of(error, self._errors)
            status, wire, body = unforeseen.status, unforeseen.wire_headers(), unforeseen.body()
        wire.append((b"x-request-id", identity.encode()))
        is_bodiless = scope["method"] == "HEAD"
        if isinstance(body, bytes):
            if status not in (204, 304):
                wire.append((b"content-length", b"%d" % len(body)))
            await send({"type": "http.response.start", "status": status, "headers": wire})
            await send({"type": "http.response.body", "body": b"" if is_bodiless else body})
            return
        await send({"type": "http.response.start", "status": status, "headers": wire})
        if not is_bodiless:
            async for piece in _pieces(body):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _match(self, scope: Scope) -> "tuple[_Served, tuple[str, ...]] | None":
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = route_path(scope)
        served = self._fixed.get(path)
        if served is not None:
            operation = served.get(method)
            return (operation, ()) if operation is not None else None
        for fullmatch, served in self._templates:
            if match := fullmatch(path):
                operation = served.get(method)
                return (operation, match.groups()) if operation is not None else None
        return None

    async def _received(
        self,
        served: "_Served",
        scope: Scope,
        receive: Receive,
        headers: Mapping[bytes, str],
        texts: tuple[str, ...],
    ) -> tuple[dict[str, Any], list[Violation], Receive, dict[str, Any]]:
        """The arguments of an operation that has a body or security, their violations, and what is left to receive."""
        operation = served.operation
        media_type = operation.body.media_type(headers) if operation.body else None
        bodies.check_length(headers.get(b"content-length"), self._limit)
        context: dict[str, Any] = {}
        if served.security is not None or operation.body is None:
            receive = bodies.limited(receive, None, self._limit)
        if served.security is not None:
            scope.setdefault("extensions", {})["connexion_context"] = context
            await served.security(scope, receive, _no_send)
        arguments, wrong = operation.arguments(scope["query_string"], texts, headers)
        if operation.body:
            content = await bodies.read(receive, self._limit)
            receive = _replay(content, receive)
            document, violations = operation.body.parse(content, media_type)
            arguments[operation.body.argument] = document
            wrong += violations
        return arguments, wrong, receive, context

    async def _awaited(self, operation: CompiledOperation, arguments: dict[str, Any]) -> Any:
        """What the handler returns, if that must be waited for."""
        if operation.is_async:
            with self._application_context():
                return await operation.handler(**arguments)
        run = copy_context().run
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, run, self._in_context, operation, arguments)

    def _in_context(self, operation: CompiledOperation, arguments: dict[str, Any]) -> Any:
        with self._application_context():
            try:
                return operation.handler(**arguments)
            except StopIteration as error:  # which no future can hold
                raise RuntimeError("the handler raised StopIteration") from error


class _Served:
    """A compiled operation with what Connexion has of it."""

    __slots__ = ("connexion_operation", "is_immediate", "operation", "security")

    def __init__(self, operation: CompiledOperation, connexion_operation: Any, security: Any) -> None:
        self.operation = operation
        self.connexion_operation = connexion_operation
        self.security = security
        self.is_immediate = operation.body is None and security is None


def _wanted(headers: list[tuple[bytes, bytes]], wanted: frozenset[bytes]) -> dict[bytes, str]:
    """The texts of some headers; several lines of one are one list with commas between (RFC 9110 §5.3)."""
    texts: dict[bytes, str] = {}
    for name, value in headers:
        if name in wanted:
            text = value.decode("latin-1").strip()
            between = "; " if name == b"cookie" else ", "
            texts[name] = f"{texts[name]}{between}{text}" if name in texts else text
    return texts


async def _pieces(body: Iterator[Any] | AsyncIterator[Any]) -> AsyncIterator[bytes]:
    """The pieces of a long answer, each made on a thread, so that other requests are served meanwhile."""
    pieces = body if isinstance(body, AsyncIterator) else iterate_in_threadpool(body)
    async for piece in pieces:
        yield piece if isinstance(piece, bytes) else str(piece).encode()


def _replay(content: bytes, receive: Receive) -> Receive:
    """`receive` as it was before the body was read, for a handler that asks `connexion.request` for it."""
    messages = [{"type": "http.request", "body": content, "more_body": False}]

    async def replay() -> Any:
        return messages.pop() if messages else await receive()

    return replay


def _security_queries(operation: Any) -> frozenset[str]:
    """The query parameters that are there for security's sake."""
    schemes = [operation.security_schemes[name] for requirement in operation.security or () for name in requirement]
    return frozenset(scheme["name"] for scheme in schemes if scheme.get("in") == "query")


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """What comes after security here: the caller goes on by itself."""


async def _no_send(_message: Any) -> None:
    """Security answers with exceptions alone."""

"""Everything of Connexion that its documentation does not promise. Connexion is pinned exactly for this module's sake.

`tests/contract/test_internals.py` says what has changed when a new version breaks it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connexion import FlaskApp
from connexion.context import _context, _operation, _receive, _scope
from connexion.datastructures import NoContent
from connexion.decorators.parameter import pythonic as _pythonic
from connexion.decorators.parameter import sanitized as _sanitized
from connexion.frameworks.flask import FlaskJSONProvider
from connexion.middleware import ConnexionMiddleware
from connexion.middleware.abstract import SpecMiddleware
from connexion.middleware.exceptions import ExceptionMiddleware
from connexion.middleware.security import SecurityOperation
from connexion.middleware.server_error import ServerErrorMiddleware
from connexion.middleware.swagger_ui import SwaggerUIMiddleware
from connexion.operations import OpenAPIOperation
from connexion.resolver import Resolution, Resolver
from connexion.security import SecurityHandlerFactory
from connexion.spec import OpenAPISpecification
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["FlaskJSONProvider", "NoContent", "SpecMiddleware"]

Authenticate = Callable[[Scope, Receive], Any]
OPENAPI_SCHEMA: Mapping[str, Any] = OpenAPISpecification.openapi_schema
"""The JSON Schema (draft 4) of OpenAPI 3.0 documents."""
HANDLER_EXTRAS = ("context_", "user", "token_info")
"""Arguments that Connexion gives to every handler that takes them."""
_REPLACED = (ServerErrorMiddleware, ExceptionMiddleware, SwaggerUIMiddleware)
_CONTEXT = "connexion_context"


def argument_name(name: str, location: str, *, pythonic: bool = False) -> str:
    """Return the name of a handler's argument as Connexion derives it, and `if_none_match` for `If-None-Match`.

    `pythonic` is Connexion's option `pythonic_params`: `itemId` becomes `item_id`, and the built-in `filter` becomes
    `filter_`.
    """
    if location in ("header", "cookie"):
        name = re.sub(r"[^0-9a-z_]", "_", name.lower())
        return str(_pythonic(name)) if pythonic else name
    name = name.replace("-", "_") if location == "path" else name  # as Connexion's routers do
    return str(_pythonic(name) if pythonic else _sanitized(name))


def context_operation(operation: Any, document: Mapping[str, Any], function: Callable[..., Any]) -> OpenAPIOperation:
    """Return what handlers see as `connexion.context.operation`, with what Connexion's security needs."""

    class FixedResolver(Resolver):  # type: ignore[misc]  # Connexion has no types
        def resolve(self, _operation: Any) -> Resolution:
            return Resolution(function, operation.operation_id)

    return OpenAPIOperation(
        operation.method,
        operation.path,
        {**operation.definition, "parameters": list(operation.parameters)},
        FixedResolver(),
        app_security=document.get("security"),
        security_schemes=document.get("components", {}).get("securitySchemes", {}),
    )


def authentication(operation: OpenAPIOperation, security_map: Any = None) -> Authenticate | None:
    """Return what runs Connexion's security handlers for an operation, built once; None if it has no security.

    The function returns what the handlers know about the client (`user`, `token_info`).
    """
    if not operation.security:
        return None
    security = SecurityOperation.from_operation(
        operation, next_app=_nothing, security_handler_factory=SecurityHandlerFactory(security_map)
    )

    async def authenticate(scope: Scope, receive: Receive) -> dict[str, Any]:
        context: dict[str, Any] = {}
        scope.setdefault("extensions", {})[_CONTEXT] = context
        await security(scope, receive, _send_nothing)
        return context

    return authenticate


def security_queries(operation: OpenAPIOperation) -> frozenset[str]:
    """Return the names of the query parameters that carry credentials."""
    schemes = [operation.security_schemes[name] for requirement in operation.security or () for name in requirement]
    return frozenset(scheme["name"] for scheme in schemes if scheme.get("in") == "query")


def bind_context(scope: Scope, receive: Receive, operation: Any, context: dict[str, Any]) -> None:
    """Set what `connexion.request` and `connexion.context` show to the handler."""
    _scope.set(scope)
    _receive.set(receive)
    _operation.set(operation)
    _context.set(context)


def flask_asgi_app(application: FlaskApp) -> ASGIApp:
    """Return the Flask application as ASGI, without Connexion's middlewares: it serves what the contract has not."""
    return application._middleware_app.asgi_app  # type: ignore[no-any-return]  # noqa: SLF001 -- see above


def wsgi_app(application: FlaskApp) -> Any:
    """Return the WSGI application that Connexion calls, with the wrappers that were put around it."""
    return application._middleware_app.asgi_app.app  # noqa: SLF001 -- see above


def extra_middlewares(application: FlaskApp) -> list[str]:
    """Return the names of the middlewares that were added to Connexion's own."""
    known = ConnexionMiddleware.default_middlewares
    found = [middleware for middleware in application.middleware.middlewares if middleware not in known]
    return [getattr(getattr(middleware, "func", middleware), "__name__", repr(middleware)) for middleware in found]


def build_stack(application: FlaskApp, outermost: Callable[[ASGIApp], Any]) -> Any:
    """Build Connexion's middlewares below `outermost`, and return that. Connexion would do it at the first request.

    Connexion's handling of exceptions and its Swagger UI are left out.
    """
    middleware = application.middleware
    kept = [kind for kind in ConnexionMiddleware.default_middlewares if kind not in _REPLACED]
    middleware.middlewares[:] = [outermost, *kept]
    middleware.app, middleware.middleware_stack = middleware._build_middleware_stack()  # noqa: SLF001 -- see above
    return middleware.app


def http_error_handler(application: FlaskApp) -> Any:
    """Return the handler of HTTP exceptions that Connexion registers with Flask."""
    return application._http_exception  # noqa: SLF001 -- see above


class HandlerResolver(Resolver):  # type: ignore[misc]  # Connexion has no types
    """Resolves operations to the handlers of a table, by operationId."""

    def __init__(self, handlers: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__()
        self._handlers = handlers

    def resolve(self, operation: Any) -> Resolution:
        """Return Connexion's resolution of one of its operations."""
        return Resolution(self._handlers[operation.operation_id], operation.operation_id)


def add_forwarded(
    application: FlaskApp, document: Mapping[str, Any], handlers: Mapping[str, Any], **options: Any
) -> None:
    """Register the operations that plain Connexion serves. `options` are those of Connexion's `add_api`."""
    application.add_api(dict(document), resolver=HandlerResolver(handlers), **options)


def options_in_use(application: FlaskApp, names: Sequence[str]) -> list[str]:
    """Return those of Connexion's options that the application sets."""
    return [name for name in names if getattr(application.middleware.options, name) is not None]


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Follow security: the caller goes on by itself."""


async def _send_nothing(_message: Any) -> None:
    """Stand in for `send`: security reports by exceptions alone."""

"""CORS: which pages of other origins may call the service from a browser.

https://fetch.spec.whatwg.org/#http-cors-protocol

Without `CORS_ORIGINS` this is not there. Credentials are headers, never cookies, so no response allows cookies.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contract.responses.response import WHOLE_RESPONSE
from contract.spec.operations import all_operations

Headers = Iterable[tuple[bytes, bytes]]
Added = Callable[[Headers], Headers]
_MAX_AGE = b"7200"
"""Seconds for which a browser keeps the response to a preflight. Chromium keeps none longer."""
_ALWAYS_ALLOWED = ("Authorization", "Content-Type", "X-Request-Id")


def cors(origins: Sequence[str], document: Mapping[str, Any]) -> Callable[[ASGIApp], ASGIApp] | None:
    """Return what adds CORS to an application; None for no origins."""
    return partial(Cors, origins=origins, document=document) if origins else None


class Cors:
    """An ASGI application around another one. The responses are those of the other one, with headers added."""

    def __init__(self, app: ASGIApp, origins: Iterable[str], document: Mapping[str, Any]) -> None:
        self._app = app
        self._origins = frozenset(origin.encode() for origin in origins)
        self._allowed = ", ".join(_request_headers(document)).encode()
        self._exposed = ", ".join(_response_headers(document)).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        added = self._added(scope)
        scope.get("extensions", {}).pop(WHOLE_RESPONSE, None)  # a response would not go through `send`

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                message = {**message, "headers": [*_with_vary(headers), *added(headers)]}
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _added(self, scope: Scope) -> Added:
        """Return what makes the headers to add out of those of the response."""
        sent = {name: value for name, value in scope["headers"] if name in _READ}
        origin = sent.get(b"origin")
        if origin not in self._origins:
            return lambda _headers: ()
        allow_origin = (b"access-control-allow-origin", origin)
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in sent:
            return lambda headers: (allow_origin, *self._preflight(headers))
        return lambda _headers: (allow_origin, (b"access-control-expose-headers", self._exposed))

    def _preflight(self, headers: Headers) -> Headers:
        """Return what a preflight asks for. The methods are those of the path, which `OPTIONS` has in `Allow`."""
        methods = next((value for name, value in headers if name.lower() == b"allow"), b"")
        return (
            (b"access-control-allow-methods", methods),
            (b"access-control-allow-headers", self._allowed),
            (b"access-control-max-age", _MAX_AGE),
        )


_READ = frozenset({b"origin", b"access-control-request-method"})


def _with_vary(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return the headers with `Origin` in `Vary`, also for requests without it: a cache must not mix them up."""
    found = list(headers)
    for number, (name, value) in enumerate(found):
        if name.lower() == b"vary":
            found[number] = (name, value + b", Origin")
            return found
    return [*found, (b"vary", b"Origin")]


def _request_headers(document: Mapping[str, Any]) -> list[str]:
    """Return the headers that a page may send: those that the contract declares, and those of every request."""
    schemes = document.get("components", {}).get("securitySchemes", {}).values()
    keys = {scheme["name"] for scheme in schemes if scheme.get("in") == "header"}
    parameters = [parameter for operation in all_operations(document) for parameter in operation.parameters]
    declared = {parameter["name"] for parameter in parameters if parameter["in"] == "header"}
    return sorted({*_ALWAYS_ALLOWED, *keys, *declared})


def _response_headers(document: Mapping[str, Any]) -> list[str]:
    """Return the headers of responses that a page may read: those that the contract declares."""
    responses = [part for operation in all_operations(document) for part in operation.definition["responses"].values()]
    return sorted({name for response in responses for name in response["headers"]})

"""The outermost middleware: what every response needs, whatever makes it, in one place.

Request ids, `Cache-Control`, routing, and exceptions as problems. Requests to operations of the contract go no further;
all others go to the Flask application.
"""

import logging
from collections.abc import Callable

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from contract.problems import not_found
from contract.requests.bodies import check_length, limited
from contract.requests.raw import read_headers
from contract.serving.cache_control import add_cache_control
from contract.serving.exceptions import Exceptions
from contract.serving.forwarding import ASKED_BY, ForwardedResponse
from contract.serving.paths import has_encoded_slash
from contract.serving.request import Request
from contract.serving.request_ids import HEADER, begin_request
from contract.serving.routing import Router

logger = logging.getLogger(__name__)
_FORWARDED_HEADERS = frozenset({HEADER, b"content-length"})


class ContractMiddleware:
    """Serves the contract. `connexion` are Connexion's own middlewares, `pages` serves what the contract does not have.

    `check_start` runs when the server starts the application.
    """

    def __init__(
        self,
        connexion: ASGIApp,
        *,
        router: Router,
        pages: ASGIApp,
        exceptions: Exceptions,
        body_limit: int,
        check_start: Callable[[], None],
    ) -> None:
        self._connexion = connexion
        self._router = router
        self._pages = pages
        self._exceptions = exceptions
        self._body_limit = body_limit
        self._check_start = check_start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                self._check_start()
            await self._connexion(scope, receive, send)
            return
        match = self._router.match(scope)
        if match is None:
            await self._forward(self._pages, scope, receive, send)
            return
        target, path_values = match
        if target.forwards:
            await self._forward(self._connexion, target.scope(scope), receive, send)
            return
        headers = read_headers(scope["headers"], target.header_names)
        request_id = begin_request(headers.get(HEADER)).encode()
        try:
            response = await target.respond(Request(scope, receive, headers, path_values))
        except ClientDisconnect:
            logger.debug("The client disconnected before its request was complete")
            return
        except Exception as error:  # noqa: BLE001 -- the edge of the process
            response = self._exceptions.response(error, scope)
        response.headers.append((HEADER, request_id))
        add_cache_control(response.headers)
        await response.send(scope, send, is_head=scope["method"] == "HEAD")

    async def _forward(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Let another application serve the request, and add what every response needs."""
        is_head = scope.get(ASKED_BY, scope["method"]) == "HEAD"
        headers = read_headers(scope["headers"], _FORWARDED_HEADERS)
        request_id = begin_request(headers.get(HEADER)).encode()
        forwarded = ForwardedResponse(send, request_id, is_head=is_head)
        try:
            # The routers of Flask and Starlette ignore the first two, and decode the third.
            if scope["path"].startswith("//") or "\n" in scope["path"] or has_encoded_slash(scope):
                raise not_found(scope["path"])  # noqa: TRY301 -- where every other exception becomes a response
            check_length(headers.get(b"content-length"), self._body_limit)
            await app(scope, limited(receive, self._body_limit), forwarded)
        except ClientDisconnect:
            logger.debug("The client disconnected before its request was complete")
        except Exception as error:
            if forwarded.started:
                raise
            response = self._exceptions.response(error, scope)
            response.headers.append((HEADER, request_id))
            add_cache_control(response.headers)
            await response.send(scope, send, is_head=is_head)

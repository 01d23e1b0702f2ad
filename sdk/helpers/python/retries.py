"""Sends a request again after a failure, if that is safe: a transport for httpx, below all operations."""

import random
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from uuid import uuid4

import anyio
import httpx

from .deprecation import Deprecations
from .operations import OPERATIONS

_KEY = "Idempotency-Key"
_PRECONDITIONS = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
_SHORTEST = 0.001
_UNAVAILABLE = frozenset({502, 503, 504})
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_BROKEN = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)


@dataclass(frozen=True)
class Retry:
    """How often, and for how long, a request is sent. All times are in seconds.

    `total`: no attempt begins later than this after the first. `timeout`: how long an attempt waits for a connection,
    and for each part of the response; the client's own timeout applies if it is shorter. The wait before attempt n + 1
    is random, between 0 and `base` * 2^(n - 1), at most `longest`; the `Retry-After` of the response is added.
    """

    attempts: int = 6
    total: float = 60.0
    timeout: float = 30.0
    base: float = 0.1
    longest: float = 10.0


class RetryTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Repeats requests of synchronous and asynchronous clients, and warns of deprecated operations.

    Use it as `Client(base_url=…, httpx_args={"transport": RetryTransport()})`. If httpx is given a transport, it
    ignores the client's `verify_ssl` and the proxies of the environment. Give them to the transports `sync` and
    `asynchronous`, which send the requests.
    """

    def __init__(
        self,
        retry: Retry | None = None,
        *,
        sync: httpx.BaseTransport | None = None,
        asynchronous: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._retry = retry or Retry()
        self._sync = sync
        self._asynchronous = asynchronous
        self._deprecations = Deprecations()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request until it has a response that is final, and return this response with its whole body."""
        self._sync = self._sync or httpx.HTTPTransport()
        request.read()
        attempts = _Attempts(self._retry, request)
        while True:
            attempts.begin()
            try:
                response = _send(self._sync, request)
            except _BROKEN as error:
                wait = attempts.wait_after_error(error)
                if wait is None:
                    raise
            else:
                wait = attempts.wait_after_response(response)
                if wait is None:
                    self._deprecations.note(request, response)
                    return response
            time.sleep(wait)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Do what `handle_request` does."""
        self._asynchronous = self._asynchronous or httpx.AsyncHTTPTransport()
        await request.aread()
        attempts = _Attempts(self._retry, request)
        while True:
            attempts.begin()
            try:
                response = await _send_async(self._asynchronous, request)
            except _BROKEN as error:
                wait = attempts.wait_after_error(error)
                if wait is None:
                    raise
            else:
                wait = attempts.wait_after_response(response)
                if wait is None:
                    self._deprecations.note(request, response)
                    return response
            await anyio.sleep(wait)

    def close(self) -> None:
        """Close the connections of the synchronous client."""
        if self._sync is not None:
            self._sync.close()

    async def aclose(self) -> None:
        """Close the connections of the asynchronous client."""
        if self._asynchronous is not None:
            await self._asynchronous.aclose()


class _Attempts:
    """The attempts of one request: decides after each whether, and when, there is another."""

    def __init__(self, retry: Retry, request: httpx.Request) -> None:
        if _KEY not in request.headers and _takes_key(request):
            request.headers[_KEY] = str(uuid4())
        self._retry = retry
        self._request = request
        self._timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        self._count = 0
        self._end = time.monotonic() + retry.total

    def begin(self) -> None:
        """Count an attempt, and limit its timeouts to the time that is left."""
        self._count += 1
        longest = max(_SHORTEST, min(self._retry.timeout, self._end - time.monotonic()))
        given = [(part, self._timeouts.get(part)) for part in ("connect", "read", "write", "pool")]
        timeouts = {part: longest if seconds is None else min(seconds, longest) for part, seconds in given}
        self._request.extensions = {**self._request.extensions, "timeout": timeouts}

    def wait_after_error(self, error: Exception) -> float | None:
        """Return the seconds to wait; None if the error is final."""
        return self._wait(0) if isinstance(error, _NOT_SENT) or _is_repeatable(self._request) else None

    def wait_after_response(self, response: httpx.Response) -> float | None:
        """Return the seconds to wait; None if the response is final.

        429 means that nothing was done. 409 with `Retry-After` means that the first request with this key is running.
        """
        status = response.status_code
        running = status == 409 and "Retry-After" in response.headers and _KEY in self._request.headers
        failed = status in _UNAVAILABLE and _is_repeatable(self._request)
        return self._wait(_retry_after(response.headers)) if status == 429 or running or failed else None

    def _wait(self, least: float) -> float | None:
        """Return a random wait (exponential backoff with full jitter); None if no attempt or no time is left."""
        wait = least + random.uniform(0, min(self._retry.longest, self._retry.base * 2 ** (self._count - 1)))
        left = self._end - time.monotonic()
        return wait if self._count < self._retry.attempts and wait < left else None


def _takes_key(request: httpx.Request) -> bool:
    """Whether the contract declares `Idempotency-Key` for the operation. The path may have a prefix."""
    path = request.url.raw_path.partition(b"?")[0].decode("ascii")
    found = (takes for method, path_end, takes in OPERATIONS if method == request.method and re.search(path_end, path))
    return next(found, False)


def _is_repeatable(request: httpx.Request) -> bool:
    """Whether the request may be sent again although the first one may have been done (RFC 9110 §9.2.2).

    Not PUT and DELETE with a precondition: if the first one was done, the second one gets a 412 that is not true.
    """
    if _KEY in request.headers or request.method in {"GET", "HEAD", "OPTIONS", "TRACE"}:
        return True
    return request.method in {"PUT", "DELETE"} and not any(name in request.headers for name in _PRECONDITIONS)


def _retry_after(headers: httpx.Headers) -> float:
    """Return the seconds of `Retry-After`; 0 if there is none, or if it is invalid (RFC 9110 §10.2.3).

    A date is compared with the server's own clock, `Date`, if the response has it.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    now = _time(headers.get("Date", "")) or datetime.now(UTC)
    return max(0.0, ((_time(value) or now) - now).total_seconds())


def _time(value: str) -> datetime | None:
    """Return the time of an HTTP date; None if it is invalid."""
    try:
        return parsedate_to_datetime(value).replace(tzinfo=UTC)
    except ValueError:
        return None


def _send(transport: httpx.BaseTransport, request: httpx.Request) -> httpx.Response:
    """Send the request once, and read the whole response."""
    response = transport.handle_request(request)
    try:
        assert isinstance(response.stream, httpx.SyncByteStream)
        return _with_body(response, b"".join(response.stream))
    finally:
        response.close()


async def _send_async(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
    """Send the request once, and read the whole response."""
    response = await transport.handle_async_request(request)
    try:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        return _with_body(response, b"".join([part async for part in response.stream]))
    finally:
        await response.aclose()


def _with_body(response: httpx.Response, body: bytes) -> httpx.Response:
    """Return the response with its body as it was received, before decoding."""
    stream = httpx.ByteStream(body)
    return httpx.Response(response.status_code, headers=response.headers, stream=stream, extensions=response.extensions)

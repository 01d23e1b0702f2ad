"""Guards Gunicorn's C parser, and checks of each request what neither of Gunicorn's parsers does.

`gunicorn_h1c` is fast, but lenient: it stores a head without a limit until its end arrives, continues header lines
(obs-fold), ends lines with LF alone, and calculates with 64 bits in `Content-Length` and chunk sizes. So it parses only
ordinary requests, whose head arrives as a whole.
Gunicorn's Python parser is strict and bounds what it stores; it parses every other request, from its first byte. It
takes 45 ns for a byte of a head, so a head has a limit of its own.
"""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from gunicorn.asgi import protocol as gunicorn_protocol
from gunicorn.asgi.parser import InvalidHeader, InvalidRequestLine, PythonProtocol, UnsupportedTransferCoding
from gunicorn.asgi.protocol import ASGIProtocol, BodyReceiver

from app.heads import Head
from app.hosts import Hosts, MisdirectedError

MAX_HEAD = 65_536
"""Bytes of a request line with all headers. The contract allows half of that for the values of the headers."""
LINGER_SECONDS = 2
"""For how long to discard what a client sends after the response to it."""
_MAX_DISCARDED = 1 << 20
"""Bytes of what follows the beginning of a head that is too large."""
_MAX_LENGTH_DIGITS = 18
# RFC 9112 §3.2.2; the host is never empty (RFC 9110 §4.2.1), and user information is an error (§4.2.4)
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/@]+)(/.*)?")
_OTHER_FORMS = {"CONNECT": re.compile(rb"[^/]+"), "OPTIONS": re.compile(rb"\*")}


class UnusualRequestError(Exception):
    """The C parser has found a request that it must not parse."""


class HeadTooLargeError(Exception):
    """A head has more than `MAX_HEAD` bytes: status 431 (RFC 6585 §5), or 414 if they are all of its first line."""

    def __init__(self, status: int = 431) -> None:
        super().__init__()
        self.status = status


class GuardedProtocol(ASGIProtocol):  # type: ignore[misc]  # Gunicorn has no types
    """Gunicorn's HTTP/1.1 protocol with two parsers, one for ordinary requests and one for all others."""

    _callback_parser: Any
    _current_request: Any
    _has_partial_head = False
    """Whether the strict parser has the beginning of a request, without the end of its head."""
    _head_size = 0
    """The bytes of that beginning."""

    def _feed_callback_parser(self, data: bytes) -> bool:
        """Parse what has arrived. A request that the C parser must not parse goes to the strict one as a whole."""
        is_new = not (self._has_partial_head or self._current_request)
        if is_new and self._callback_parser.__class__ is PythonProtocol:
            self._setup_callback_parser()  # the request before this one was unusual
        try:
            if is_new:
                _refuse_unusual_lines(data)
            elif self._has_partial_head:
                return self._feed_partial_head(data)
            return bool(ASGIProtocol._feed_callback_parser(self, data))  # noqa: SLF001 -- super() would be slower
        except UnusualRequestError:
            self._callback_parser = _strict_parser(self)
            self._has_partial_head = True
            self._head_size = 0
            return self._feed_callback_parser(data)
        except HeadTooLargeError as error:
            self._send_error_response(error.status, "")
            self._discard_rest()
            return False
        except MisdirectedError:
            self._send_error_response(421, "")
            self._close_transport()
            return False

    def _feed_partial_head(self, data: bytes) -> bool:
        """Parse no more of a head than it may have. Raise `HeadTooLargeError` if it has not ended by then."""
        rest = memoryview(data)[MAX_HEAD - self._head_size :]
        head = data[: len(data) - len(rest)] if rest else data
        self._head_size += len(head)
        goes_on = bool(super()._feed_callback_parser(head))
        if not goes_on or not rest:
            return goes_on
        if self._has_partial_head:
            raise HeadTooLargeError
        return bool(super()._feed_callback_parser(bytes(rest)))

    def _discard_rest(self) -> None:
        """Close the sending side, and discard some of what the client still sends.

        A reset, which the client gets if something of it was not read, could overtake the response.
        """
        self._has_partial_head = False
        self._head_size = 0
        self._feed_callback_parser = self._discard  # type: ignore[method-assign]
        if not self._is_ssl:
            self.transport.write_eof()
        self.worker.loop.call_later(0 if self._is_ssl else LINGER_SECONDS, self._close_transport)

    def _discard(self, data: bytes) -> bool:
        self._head_size += len(data)
        if self._head_size > _MAX_DISCARDED:
            self._close_transport()
        return False

    def _on_headers_complete(self) -> bool:
        """Check the head of a request."""
        parser = self._callback_parser
        if self._forwarded_trust is None:
            self._trust_peer()
        if parser.__class__ is PythonProtocol:
            super()._on_headers_complete()
        else:
            _refuse_unusual_headers(parser)
            self._read_head(parser)
        self._has_partial_head = False
        _check(self._current_request, self.worker.hosts)
        return False

    def _read_head(self, parser: Any) -> None:
        """Make the request, and what receives its body, of what the C parser has read."""
        scheme = "https" if self._is_ssl else "http"
        self._current_request = head = Head(parser, scheme, self._secure_names)
        if head.needs_policy:
            self._policy(scheme).apply(head, self._forwarded_trust, self._secure_names)
        self._body_receiver = BodyReceiver(head, self)
        if not self._awaiting_request:
            self._request_ready.set()  # the connection's task looks for it; otherwise `data_received` serves it

    def _trust_peer(self) -> None:
        """Set what Gunicorn knows of the peer of a connection: the headers by which it may tell HTTPS from HTTP.

        Gunicorn needs only their names; here each has its value for HTTPS as well.
        """
        self._forwarded_trust = self._policy("http")._peer_trusted_for_forwarded()  # noqa: SLF001 -- as Gunicorn does
        values = self._forwarded_trust[0]
        self._secure_names = {name.lower().encode(): value.encode() for name, value in values.items()}

    def _policy(self, scheme: str) -> Any:
        peer = self.transport.get_extra_info("peername")
        return gunicorn_protocol._RequestHeaderPolicy(self.cfg, peer, scheme, (1, 1))  # noqa: SLF001 -- as Gunicorn does


def _refuse_unusual_lines(data: bytes) -> None:
    """Raise `UnusualRequestError` unless there is a whole head, and no line of it ends with LF alone.

    The C parser refuses CR alone. Raise `HeadTooLargeError` for a head that is too large already.
    """
    end = data.find(b"\r\n\r\n", 0, MAX_HEAD)
    if end < 0 and len(data) > MAX_HEAD:
        raise HeadTooLargeError(431 if data.find(b"\r\n", 0, MAX_HEAD) >= 0 else 414)
    if end < 0 or data.count(b"\n", 0, end) != data.count(b"\r", 0, end):
        raise UnusualRequestError


def _refuse_unusual_headers(parser: Any) -> None:
    """Raise `UnusualRequestError` if the head that the C parser has just read needs the strict parser."""
    if parser.is_chunked or parser.get_header(b"") is not None:  # the C parser's name for a continued line
        raise UnusualRequestError
    if parser.content_length is not None and len(parser.get_header(b"content-length")) > _MAX_LENGTH_DIGITS:
        raise UnusualRequestError


def discard(_data: bytes) -> bool:
    """Parse nothing of what arrives."""
    return False


def _strict_parser(protocol: GuardedProtocol) -> PythonProtocol:
    """Return Gunicorn's Python parser with the limits of the configuration, for this protocol's callbacks."""
    cfg = protocol.cfg
    return PythonProtocol(
        on_headers_complete=protocol._on_headers_complete,  # noqa: SLF001 -- as Gunicorn does
        on_body=protocol._on_body,  # noqa: SLF001 -- as Gunicorn does
        on_message_complete=protocol._on_message_complete,  # noqa: SLF001 -- as Gunicorn does
        limit_request_line=cfg.limit_request_line,
        limit_request_fields=cfg.limit_request_fields,
        limit_request_field_size=cfg.limit_request_field_size,
        permit_unconventional_http_method=cfg.permit_unconventional_http_method,
        permit_unconventional_http_version=cfg.permit_unconventional_http_version,
    )


def _check(request: Any, hosts: Hosts) -> None:
    """Check the target, the host and the transfer coding. Raise Gunicorn's errors, or `MisdirectedError`."""
    if request.raw_path[:1] != b"/":
        _use_absolute_form(request)
    host = request.host if request.__class__ is Head else _host(request)
    if host is None:
        if request.version >= (1, 1):
            raise InvalidHeader("Host is missing")  # RFC 9112 §3.2
    elif host not in hosts.remembered:
        hosts.check(host)
    if request.chunked:
        codings = b",".join(value for name, value in request.headers_bytes if name == b"transfer-encoding")
        if codings.lower() != b"chunked":
            raise UnsupportedTransferCoding("The only Transfer-Encoding here is chunked")


def _host(request: Any) -> bytes | None:
    """Return the host of a request; both parsers refuse a second one."""
    return next((value for name, value in request.headers_bytes if name == b"host"), None)


def _use_absolute_form(request: Any) -> None:
    """Serve `GET http://host/path` as `GET /path` with this host, whatever `Host` says (RFC 9112 §3.2.2)."""
    absolute = _ABSOLUTE.fullmatch(request.raw_path)
    if absolute is None:
        other = _OTHER_FORMS.get(request.method)
        if other is None or not other.fullmatch(request.raw_path):
            raise InvalidRequestLine("Invalid request target")
        return
    host, path = absolute[1], absolute[2] or b"/"
    request.raw_path, request.path = path, unquote_to_bytes(path).decode("utf-8", "replace")
    headers = request.headers_bytes
    request.headers_bytes = [(name, host if name == b"host" else value) for name, value in headers]
    if request.__class__ is Head and request.host is not None:
        request.host = host

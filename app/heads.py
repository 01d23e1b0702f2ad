"""The head of a request that Gunicorn's C parser has read, as an object, in one look at each header.

Gunicorn looks three times, for parsers and proxies of all kinds, which takes a tenth of a GET.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from gunicorn.asgi.parser import RFC9112_TARGET_INVALID, CallbackRequest, InvalidHeader, InvalidRequestLine

_READ = frozenset(
    {b"host", b"connection", b"transfer-encoding", b"upgrade", b"expect", b"x-forwarded-for", b"x-forwarded-prefix"}
)


class Head(CallbackRequest):  # type: ignore[misc]  # Gunicorn has no types
    """A request as Gunicorn knows it, and what else of its headers is asked for.

    `needs_policy`: Gunicorn decides about one of its headers; `is_forwarded`: it has one that says where it came from.
    """

    def __init__(self, parser: Any, scheme: str, https_headers: Mapping[bytes, bytes]) -> None:
        """Read what the parser has. Raise `InvalidRequestLine` or `InvalidHeader`.

        `https_headers` are those that tell HTTPS from HTTP, each with its value for HTTPS; none from an untrusted peer.
        A request with chunks never comes here, so any Transfer-Encoding is one without them (RFC 9112 §6.3).
        """
        url = parser.path
        if RFC9112_TARGET_INVALID.search(url):
            raise InvalidRequestLine("Invalid request line")
        self.method = parser.method.decode("ascii")
        self.uri = url.decode("latin-1")
        self.raw_path, _, query = url.partition(b"?")
        self.query = query.decode("latin-1")
        if b"%" in self.raw_path:
            self.path = unquote_to_bytes(self.raw_path).decode("utf-8", "replace")
        else:
            self.path = self.raw_path.decode("utf-8", "replace")
        self.fragment = ""
        self.version = parser.http_version
        self.scheme = scheme
        self.chunked = False
        self.content_length = parser.content_length or 0
        self.must_close = not parser.should_keep_alive
        self.proxy_protocol_info = None
        self._headers = None
        self._connection: str | None = None
        self.host: bytes | None = None
        self._has_upgrade = self._expect_100_continue = self.needs_policy = self.is_forwarded = False
        self.headers_bytes = list(parser.asgi_headers)
        self._look_at_headers(https_headers)

    def _look_at_headers(self, https_headers: Mapping[bytes, bytes]) -> None:
        has_scheme = False
        for name, value in self.headers_bytes:
            if name in _READ:
                self._read(name, value)
            elif name in https_headers:
                self.scheme = "https" if value == https_headers[name] else "http"
                if has_scheme:
                    self.needs_policy = True  # it compares the two
                has_scheme = True
            elif b"_" in name:
                self.needs_policy = True  # it drops what could be taken for another header

    def _read(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self.host = value
        elif name == b"connection":
            if self._connection is None:
                self._connection = value.decode("latin-1")
        elif name == b"transfer-encoding":
            raise InvalidHeader("Transfer-Encoding does not end with chunked")
        elif name == b"upgrade":
            self._has_upgrade = True
        elif name == b"expect":
            self._expect_100_continue = value.lower() == b"100-continue" and self.version >= (1, 1)
        else:
            self.is_forwarded = True

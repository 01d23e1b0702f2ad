"""Raw values: what a request carries in its query string, headers and cookies, before the contract gives it a type."""

from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import unquote_to_bytes

RawHeaders = Collection[tuple[bytes, bytes]]
_MAX_HEADERS_LENGTH = 32_768
_FEW_HEADERS = 4  # servers accept at most 8 KiB for one header


def is_unicode(text: str) -> bool:
    """Return whether a decoded path was UTF-8. Servers put unpaired surrogates where it was not."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def query_values(query_string: bytes) -> dict[str, list[str]]:
    """Return the raw values of a query string by name (WHATWG URL §5.1); raise UnicodeDecodeError if not UTF-8."""
    values: dict[str, list[str]] = {}
    query_string = query_string.replace(b"+", b" ")
    if b"%" in query_string:
        for encoded in query_string.split(b"&"):
            if encoded:
                left, _, right = encoded.partition(b"=")
                values.setdefault(unquote_to_bytes(left).decode(), []).append(unquote_to_bytes(right).decode())
    else:
        for pair in query_string.decode().split("&"):
            if pair:
                name, _, value = pair.partition("=")
                values.setdefault(name, []).append(value)
    return values


def are_too_long(headers: RawHeaders) -> bool:
    """Return whether the values of all headers have more than 32 KiB. Some headers take milliseconds to read then."""
    return len(headers) > _FEW_HEADERS and sum(len(value) for _, value in headers) > _MAX_HEADERS_LENGTH


def read_headers(headers: RawHeaders, names: frozenset[bytes]) -> dict[bytes, str]:
    """Return the values of the named headers. Several lines of a header are one list (RFC 9110 §5.3)."""
    values: dict[bytes, str] = {}
    for name, line in headers:
        if name in names:
            value = line.decode("latin-1").strip()
            separator = "; " if name == b"cookie" else ", "
            values[name] = f"{values[name]}{separator}{value}" if name in values else value
    return values


def cookie_values(header: str | None) -> dict[str, str]:
    """Return the cookies of a `Cookie` header by name (RFC 6265 §4.2.1); none if it cannot be parsed."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header or "").items()}
    except CookieError:
        return {}

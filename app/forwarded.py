"""`X-Forwarded-For`: the IP addresses that a request came through, as proxies have added them."""

from collections.abc import Iterable

_NAME = b"x-forwarded-for"
_MAX_LENGTH = 100  # of an IPv6 address with the name of an interface, or what a proxy says in its place


def client_ip(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the last IP address, which a trusted proxy has added; empty if there is none.

    Those before it, also on lines before, can be what a client sent. What is too long for one is ignored.
    """
    lines = [value for name, value in headers if name == _NAME]
    last = lines[-1].rpartition(b",")[2].strip() if lines else b""
    return last.decode("latin-1") if len(last) <= _MAX_LENGTH else ""

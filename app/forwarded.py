"""`X-Forwarded-For`: the IP addresses that a request came through, as proxies have added them."""

from collections.abc import Iterable

_NAME = b"x-forwarded-for"


def client_ip(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the last IP address, which a trusted proxy has added; empty if there is none.

    Those before it, also on lines before, can be what a client sent.
    """
    lines = [value for name, value in headers if name == _NAME]
    return lines[-1].rpartition(b",")[2].strip().decode("latin-1") if lines else ""

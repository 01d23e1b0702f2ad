"""The host names that the service serves: `ALLOWED_HOSTS` protects it from DNS rebinding.

A web page can let its own host name resolve to the IP address of this service, and then read the service's responses:
for the browser, both have the same origin. But the browser sends the name of the page in `Host`.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_address

from gunicorn.asgi.parser import InvalidHeader

_MAX_REMEMBERED = 1000
_MAX_LENGTH = 300
# RFC 9110 §7.2: a host (RFC 3986 §3.2.2) and perhaps a port; empty if the target has none
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(:\d*)?", re.ASCII)


class MisdirectedError(Exception):
    """The service does not serve this host (421, RFC 9110 §15.5.20)."""


class Hosts:
    """Host names, in lower case. `.example.com` stands for example.com and all names below it; none at all, for any.

    IP addresses and localhost are always served: DNS cannot lead them elsewhere, and health checks use them.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self._exact = frozenset(name.removeprefix(".") for name in allowed) | {"localhost"}
        self._suffixes = tuple(name for name in allowed if name.startswith("."))
        self._serves_all = not allowed
        self.remembered: set[bytes] = set()
        """Values of `Host` that are served."""

    def check(self, header: bytes) -> None:
        """Check the value of `Host`. Raise `InvalidHeader` if it is none, `MisdirectedError` if it is not allowed."""
        match = _HOST.fullmatch(header)
        if match is None or len(header) > _MAX_LENGTH:
            raise InvalidHeader("Invalid Host")
        if not self._serves_all and not self._serves(match[1].decode("ascii").lower().removesuffix(".")):
            raise MisdirectedError
        if len(self.remembered) < _MAX_REMEMBERED:
            self.remembered.add(header)

    def _serves(self, name: str) -> bool:
        return name in self._exact or name.endswith(self._suffixes) or _is_ip_address(name.strip("[]"))


def _is_ip_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True

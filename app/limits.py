"""Bounds how long and how often clients may occupy a worker, whatever they send and however slowly.

One timer per worker looks at all connections once a second, so a request costs nothing, and no byte extends a limit.
"""

import resource
import socket
from collections import Counter
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any

from app import metrics

HEAD, IDLE, BODY, SENDING, CLOSING, SERVING = "head", "idle", "body", "sending", "closing", "serving"
"""What a connection can be doing. SERVING, while the application works on a request, has no limit."""
PHASES = (HEAD, IDLE, BODY, SENDING, CLOSING, SERVING)
_SECONDS = {
    HEAD: 15,  # for the whole head of a request, from the first byte or from the start of the connection
    BODY: 60,  # for a whole body; 64 KiB at 1.1 kB/s
    SENDING: 30,  # in which the client reads nothing of the response
    CLOSING: 10,  # as SENDING, but the connection is closed after the response
}
_OPEN_FILES = 65_536
Phase = tuple[str, int, int]
"""What a connection is doing, for which of its requests, and the size of what it has still to send."""


class Limits:
    """The limits of one worker. `keepalive`: the seconds that a connection may be idle between two requests.

    `per_ip` is the most connections of one IP address, 0 for any number; it does not apply to the proxies `trusted`.
    """

    def __init__(self, loop: Any, keepalive: float, per_ip: int, trusted: Iterable[Any]) -> None:
        self._loop = loop
        self._seconds = {**_SECONDS, IDLE: keepalive}
        self._per_ip = per_ip
        self._trusted = tuple(trusted)
        self._open: Counter[bytes | str] = Counter()
        self._since: dict[Any, tuple[Phase, float]] = {}

    def admit(self, peer: Any) -> bool:
        """Count a connection from this peer; False if it has too many. `forget` must follow in any case."""
        key = _key(peer)
        if key is None:
            return True
        self._open[key] += 1
        is_admitted = not self._per_ip or self._open[key] <= self._per_ip or self._is_trusted(peer[0])
        if not is_admitted:
            metrics.count("http_connections_refused_total", "per_ip")
        return is_admitted

    def forget(self, protocol: Any, peer: Any) -> None:
        """Forget a connection that has ended."""
        self._since.pop(protocol, None)
        key = _key(peer)
        if key is not None:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    def watch(self, protocols: Iterable[Any]) -> None:
        """Look at all connections. Call this once a second."""
        now = self._loop.time()
        for protocol in tuple(protocols):
            phase = protocol.phase()
            before, since = self._since.get(protocol, (None, now))
            if phase != before:
                self._since[protocol] = phase, now
            elif now - since >= self._seconds.get(phase[0], float("inf")):
                if phase[0] != IDLE:
                    metrics.count("http_connections_refused_total", phase[0])
                protocol.expire(phase[0])

    def _is_trusted(self, ip: str) -> bool:
        parsed = ip_address(ip.partition("%")[0])
        return any(parsed in network for network in self._trusted)


def _key(peer: Any) -> bytes | str | None:
    """Return what is counted: the IP address, or the first 64 bits of an IPv6 one; None on a Unix socket."""
    if not isinstance(peer, tuple):
        return None
    ip: str = peer[0]
    if ":" not in ip or ip.startswith("::ffff:"):
        return ip
    return socket.inet_pton(socket.AF_INET6, ip.partition("%")[0])[:8]


def raise_open_files() -> None:
    """Let this process have as many open connections as the system allows; often, the default is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def trusted(cfg: Any) -> list[Any]:
    """Return the networks of the trusted proxies."""
    everywhere = [ip_network("0.0.0.0/0"), ip_network("::/0")] if "*" in cfg.forwarded_allow_ips else []
    return [*cfg.forwarded_allow_networks(), *everywhere]

"""Bounds how long and how often clients may occupy a worker, whatever they send and however slowly.

One timer per worker looks at all connections once a second, so a request costs nothing, and no byte extends a limit.
When a worker has as many connections as it can have, those that have waited longest for their clients make room for
new ones: many clients together keep nobody out.
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
_OTHER_FILES = 64  # of a worker: the database, sockets that listen, logs
_PART_THAT_MAKES_ROOM = 20  # one in 20 connections at once, because looking for them takes a microsecond for each
Phase = tuple[str, int, int]
"""What a connection is doing, for which of its requests, and the size of what it has still to send."""


class Limits:
    """The limits of one worker. `keepalive`: the seconds that a connection may be idle between two requests.

    `per_ip` is the most connections of one IP address, 0 for any number; it does not apply to the proxies `trusted`.
    `most` is the most connections of all.
    """

    def __init__(
        self, loop: Any, keepalive: float, per_ip: int, trusted: Iterable[Any], most: int = _OPEN_FILES
    ) -> None:
        self._loop = loop
        self._seconds = {**_SECONDS, IDLE: keepalive}
        self._per_ip = per_ip
        self._trusted = tuple(trusted)
        self._most = most
        self._open: Counter[bytes | str] = Counter()
        self._since: dict[Any, tuple[Phase | None, float]] = {}

    def admit(self, protocol: Any, peer: Any) -> int | None:
        """Count a connection from this peer; return the status with which it must be refused: 429, 503 or none.

        `forget` must follow in any case.
        """
        key = _key(peer)
        if key is not None:
            self._open[key] += 1
            if self._per_ip and self._open[key] > self._per_ip and not self._is_trusted(peer[0]):
                metrics.count("http_connections_refused_total", "per_ip")
                return 429
        if len(self._since) >= self._most and not self._make_room():
            metrics.count("http_connections_refused_total", "total")
            return 503
        self._since[protocol] = None, self._loop.time()
        return None

    def _make_room(self) -> bool:
        """End some connections that have waited longest for their clients. Return whether there were any."""
        room = self._most // _PART_THAT_MAKES_ROOM + 1
        for protocol in sorted(self._since, key=lambda protocol: self._since[protocol][1]):
            if self._has_waited(protocol) and protocol.give_way(protocol.phase()[0]):
                del self._since[protocol]
                room -= 1
                if not room:
                    break
        return len(self._since) < self._most

    def _has_waited(self, protocol: Any) -> bool:
        """Return whether a connection does nothing but wait for its client. One that is new may be about to be used."""
        phase, known = protocol.phase(), self._since[protocol][0]
        if known is None:
            return phase[0] not in (SERVING, IDLE)
        return phase[0] != SERVING and bool(phase == known)

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


def of_worker(loop: Any, cfg: Any, per_ip: int) -> Limits:
    """Return the limits of a worker with Gunicorn's configuration, and let it have as many open files as possible."""
    raise_open_files()
    everywhere = [ip_network("0.0.0.0/0"), ip_network("::/0")] if "*" in cfg.forwarded_allow_ips else []
    trusted = [*cfg.forwarded_allow_networks(), *everywhere]
    return Limits(loop, cfg.keepalive, per_ip, trusted, most_connections(cfg.worker_connections))


def most_connections(wanted: int) -> int:
    """Return how many connections a worker can have: the number that is wanted, or what its open files allow.

    A quarter of them is left for connections that are being closed.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, (soft - _OTHER_FILES) * 3 // 4))


def raise_open_files() -> None:
    """Let this process have as many open connections as the system allows; often, the default is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

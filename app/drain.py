"""Ends listening sockets and idle connections without losing a request.

Closing a listening socket resets every connection that no process has accepted yet, and a client may have sent its
request on one of them. With this filter on the socket, Linux drops the first packet of each new connection (SYN, RFC
9293 §3.5), so that the queue can be emptied for good before the socket is closed. The client's system sends the packet
again a second later: then the port is closed, or belongs to the next instance of the service.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import socket
import struct
import sys
import termios
from collections.abc import Iterator
from typing import Any

_SO_ATTACH_FILTER = 26  # socket(7); Python's socket module does not have it
# A classic BPF program (https://docs.kernel.org/networking/filter.html). The packet begins with its TCP header, which
# has the flags in byte 13; 2 is SYN.
_DROP_SYN = (
    (0x30, 0, 0, 13),  # load byte 13
    (0x45, 0, 1, 2),  # if it has the flag SYN, continue, otherwise skip one instruction
    (0x06, 0, 0, 0),  # return: keep 0 bytes of the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # return: keep all of it
)


# Between the stop of a worker and the end of an idle connection: one that has served a request, and then a new one.
_GRACE_SECONDS = ((0.8, 1), (2.0, 0))
_POLL_SECONDS = 0.02


def refuse_new_connections(listener: socket.socket) -> None:
    """Ignore attempts to connect from now on, in all processes that share this socket. Needs Linux and TCP.

    Some kernels allow it only to processes with CAP_NET_ADMIN; then it does nothing.
    """
    if not sys.platform.startswith("linux") or listener.family not in (socket.AF_INET, socket.AF_INET6):
        return
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in _DROP_SYN))
    filter_ = struct.pack("HP", len(_DROP_SYN), ctypes.addressof(program))
    with contextlib.suppress(PermissionError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)


def has_unread(connection: Any) -> bool:
    """Return whether bytes have arrived that nobody has read."""
    return any(fcntl.ioctl(connection.fileno(), termios.FIONREAD, bytes(4)))


def accept_all(listener: socket.socket) -> Iterator[socket.socket]:
    """Accept pending connections, then close the listener."""
    listener.settimeout(0)
    with listener, contextlib.suppress(OSError):
        while True:
            yield listener.accept()[0]


async def close_idle(worker: Any) -> None:
    """Close the idle connections of a worker that stops, but let clients use them once more.

    That response announces the end of the connection. Closing a connection just when the client sends a request would
    lose the request; if it has not been used for this long, that is unlikely.
    """
    for seconds, least_requests in _GRACE_SECONDS:
        end = worker.loop.time() + seconds
        while (  # noqa: ASYNC110 -- none of the three has an event
            worker.protocols and worker.loop.time() < end and not worker.stops_at_once
        ):
            await asyncio.sleep(_POLL_SECONDS)
        for protocol in list(worker.protocols):
            protocol.close_if_idle(least_requests)

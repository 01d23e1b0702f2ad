"""Bad clients of the soak test: slow, garbage, half-closed, huge, and those that vanish."""

import contextlib
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator

GET = b"GET /items?limit=5 HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n"
POST = b"POST /items HTTP/1.1\r\nHost: soak\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
SILENCE = 2.0
"""Seconds after which a bad client gives up waiting for a response."""


class Intruder(threading.Thread):
    """Sends one kind of bad request after the other, to nginx and to the service. `seen` counts the statuses."""

    def __init__(self, number: int, ports: list[int]) -> None:
        super().__init__(daemon=True)
        self.seen: Counter[str] = Counter()
        self.stop = threading.Event()
        self._ports = ports
        self._random = random.Random(number)

    def run(self) -> None:
        """Take the kinds in turn until stopped."""
        kinds: list[Callable[[socket.socket], None]] = [
            self.slow,
            self.garbage,
            self.half_closed,
            self.huge_body,
            self.huge_headers,
            self.vanishes,
        ]
        number = 0
        while not self.stop.wait(0.05):
            kind, port = kinds[number % len(kinds)], self._ports[number // len(kinds) % len(self._ports)]
            number += 1
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), SILENCE) as connection:
                kind(connection)
                self._see(kind.__name__, connection)

    def slow(self, connection: socket.socket) -> None:
        """Send a body byte by byte, and leave before its end."""
        connection.sendall(POST % 1000 + b"{")
        for _ in range(10):
            if self.stop.wait(0.1):
                return
            connection.sendall(b" ")
        connection.shutdown(socket.SHUT_RDWR)

    def garbage(self, connection: socket.socket) -> None:
        """Send random bytes."""
        connection.sendall(self._random.randbytes(self._random.randint(1, 3000)) + b"\r\n\r\n")

    def half_closed(self, connection: socket.socket) -> None:
        """Send a request, and close the sending side before the response."""
        connection.sendall(GET)
        connection.shutdown(socket.SHUT_WR)

    def huge_body(self, connection: socket.socket) -> None:
        """Announce a gigabyte, and begin to send it."""
        connection.sendall(POST % 10**9)
        connection.sendall(bytes(300_000))

    def huge_headers(self, connection: socket.socket) -> None:
        """Send more headers than anyone reads."""
        connection.sendall(b"GET /items HTTP/1.1\r\nHost: soak\r\n" + b"X-Long: " + b"x" * 200_000 + b"\r\n\r\n")

    def vanishes(self, connection: socket.socket) -> None:
        """Reset the connection in the middle of a body."""
        connection.sendall(POST % 1000 + b'{"name": ')
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _see(self, kind: str, connection: socket.socket) -> None:
        """Count the status of the response, if one comes."""
        status = b""
        if kind != "vanishes":
            with contextlib.suppress(OSError):
                status = connection.recv(12)
        self.seen[f"{kind} {status[9:12].decode('ascii', 'replace') or 'closed'}"] += 1


def intruders(count: int, ports: list[int]) -> Iterator[Intruder]:
    """Return this number of bad clients, which differ in what they send."""
    return (Intruder(number, ports) for number in range(count))

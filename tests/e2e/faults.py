"""A proxy that fails on purpose: it drops, delays, repeats and refuses requests, as a seed decides.

It stands between a client and the service, and counts what it does.
"""

import asyncio
import contextlib
import random
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

FAULTS = {
    "drop the request": 30,
    "drop the response": 30,
    "break the response": 30,
    "delay": 30,
    "repeat": 30,
    "429": 10,
    "502 after it": 15,
    "503 before it": 15,
    "silence": 1,
}
"""Out of 1,000 requests, how many have each fault."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_KEY = re.compile(rb"\r\nidempotency-key: *(\S+)", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)
_REFUSAL = (
    b"HTTP/1.1 %b Refused\r\nContent-Type: application/problem+json\r\nRetry-After: 0\r\nContent-Length: %d\r\n\r\n%b"
)
_PROBLEM = b'{"type": "about:blank", "title": "Refused", "status": %b, "detail": "The proxy refuses."}'


class GoneError(ConnectionError):
    """The connection to the client ends here."""


@dataclass
class Faults:
    """The proxy: the port of the service, whether it replays responses itself, and what it has done."""

    upstream: int
    seed: int
    replays: bool

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.done: Counter[str] = Counter()
        self.responses: dict[bytes, bytes] = {}
        self.locks: defaultdict[bytes, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                await self._respond(head + body, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _respond(self, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Write the response to one request, or raise `GoneError`."""
        (fault,) = self.random.choices(["none", *FAULTS], [1000 - sum(FAULTS.values()), *FAULTS.values()])
        delay = self.random.uniform(0, 0.05)
        self.done[fault] += 1
        status = fault[:3].encode()
        if fault == "drop the request":
            raise GoneError
        if fault in {"429", "503 before it"}:
            problem = _PROBLEM % status
            writer.write(_REFUSAL % (status, len(problem), problem))
            return
        response = await self._forward(request)
        if fault == "repeat":
            response = await self._forward(request)
        if fault == "delay":
            await asyncio.sleep(delay)
        if fault == "silence":
            await reader.read()
            raise GoneError
        if fault == "drop the response":
            raise GoneError
        if fault == "502 after it":
            problem = _PROBLEM % status
            response = _REFUSAL % (status, len(problem), problem)
        if fault == "break the response":
            writer.write(response[: len(response) // 2])
            await writer.drain()
            raise GoneError
        writer.write(response)
        await writer.drain()

    async def _forward(self, request: bytes) -> bytes:
        """Return the response of the service; if `replays`, the first one with the same key."""
        key = _KEY.search(request.partition(b"\r\n\r\n")[0])
        if not self.replays or key is None:
            return await self._send(request)
        async with self.locks[key[1]]:
            if key[1] not in self.responses:
                self.responses[key[1]] = await self._send(request)
            return self.responses[key[1]]

    async def _send(self, request: bytes) -> bytes:
        """Send the request to the service on a new connection."""
        head, _, body = request.partition(b"\r\n\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            writer.write(_CONNECTION.sub(b"", head) + b"\r\nConnection: close\r\n\r\n" + body)
            response = await reader.read()
        finally:
            writer.close()
        head, _, body = response.partition(b"\r\n\r\n")
        return _CONNECTION.sub(b"", head) + b"\r\n\r\n" + body


@contextlib.contextmanager
def faults(upstream: int, seed: int, *, replays: bool) -> Iterator[tuple[Faults, int]]:
    """Run the proxy in a thread: the proxy and its port."""
    proxy, loop = Faults(upstream, seed, replays), asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(proxy.serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield proxy, server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.1))
        loop.close()

"""The access log: one line per request, as text or as JSON, written in batches by each worker, and what counts them.

Python's `logging` is not involved: a record, a format and a write per request would cost as much as a third of a GET.
"""

import asyncio
from collections.abc import Callable, Sequence

from app.log_formats import Served
from app.log_writer import LineWriter

CLIENT_CLOSED = 499
"""Nginx's status for a client that went away before there was a response."""
_SECONDS = 0.1  # between batches
_RETRY_SECONDS = 0.02  # while a pipe is full
_BATCH = 32  # requests that become lines together: few enough to stay in the caches
_WRITE = 1 << 15  # bytes that are written together, to wake the reader seldom: half of what a pipe holds


class AccessLog:
    """The requests of one worker, on its event loop. They become lines in batches, when the caches are warm.

    Without `line`, there are none. `observers` get the same batches, such as to count them.
    """

    def __init__(
        self,
        writer: LineWriter,
        line: Callable[[Served], str] | None,
        loop: asyncio.AbstractEventLoop,
        observers: Sequence[Callable[[list[Served]], None]] = (),
    ) -> None:
        self._writer = writer
        self._line = line
        self._loop = loop
        self._observers = observers
        self._requests: list[Served] = []
        self._timer: asyncio.TimerHandle | None = None
        self._is_blocked = False

    def put(self, request: Served) -> None:
        """Add a request, and write it soon."""
        self._requests.append(request)
        if self._timer is None:
            self._timer = self._loop.call_later(_SECONDS, self.flush)
        elif len(self._requests) == _BATCH and self.finish() > _WRITE and not self._is_blocked:
            self.flush()

    def flush(self) -> None:
        """Write the lines. While a pipe is full, try again soon."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.finish()
        self._is_blocked = not self._writer.flush()
        if self._is_blocked:
            self._timer = self._loop.call_later(_RETRY_SECONDS, self.flush)

    def finish(self) -> int:
        """Make lines of all requests. Return the size of the lines that are not written."""
        requests, self._requests = self._requests, []
        line = self._line
        size = self._writer.put([line(request) for request in requests] if line is not None else [])
        for observe in self._observers:
            observe(requests)
        return size

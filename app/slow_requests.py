"""One warning for each request that was slow or failed, with its operation and its trace."""

import logging

from app.log_formats import Served, safe
from contract.serving.request_ids import request_id
from contract.serving.traces import trace_id

logger = logging.getLogger(__name__)


class SlowRequests:
    """Logs requests that took `milliseconds` or more (0: none), and all with a status of 500 or more."""

    def __init__(self, milliseconds: int) -> None:
        self._seconds = milliseconds / 1000 if milliseconds else float("inf")

    def __call__(self, requests: list[Served]) -> None:
        """Look at a batch of requests."""
        limit = self._seconds
        for request in requests:
            if request[7] >= limit or request[5] >= 500:
                self._warn(request)

    def _warn(self, request: Served) -> None:
        _, id_, _, method, path, status, _, seconds, operation, trace = request
        tokens = request_id.set(id_), trace_id.set(trace)  # for the line, which is written after the request
        what = "Failed" if status >= 500 else "Slow"
        traced = f", trace {trace}" if trace else ""
        logger.warning(
            "%s: %s, %s %s, %d after %.0f ms%s",
            *(what, operation, safe(method), safe(path), status, seconds * 1000, traced),
            extra={"operation": operation},
        )
        request_id.reset(tokens[0])
        trace_id.reset(tokens[1])

"""Counts requests in the batches of the access log: half a microsecond each, while the caches are warm."""

from bisect import bisect_left

from app import metrics
from app.log_formats import Served
from app.metrics.families import FAMILIES
from app.metrics.memory import Values

_BUCKETS = FAMILIES["http_request_duration_seconds"].buckets
_SUM = len(_BUCKETS) + 1


class RequestCounter:
    """Counts the requests of one worker, on its event loop."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, int], tuple[Values, int, int]] = {}

    def __call__(self, requests: list[Served]) -> None:
        """Count a batch of requests."""
        places = self._places
        for _, _, _, _, _, status, _, seconds, operation, _ in requests:
            place = places.get((operation, status)) or self._add(operation, status)
            values, total, durations = place
            values[total] += 1
            values[durations + bisect_left(_BUCKETS, seconds)] += 1
            values[durations + _SUM] += seconds

    def _add(self, operation: str, status: int) -> tuple[Values, int, int]:
        values, total = metrics.place("http_requests_total", operation, str(status))
        _, durations = metrics.place("http_request_duration_seconds", operation)
        self._places[operation, status] = place = values, total, durations
        return place

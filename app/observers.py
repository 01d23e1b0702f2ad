"""What looks at the requests of a worker, in the batches of the access log, and at the worker itself."""

from collections.abc import Callable, Iterable
from typing import Any

from app import metrics
from app.metrics.requests import RequestCounter
from app.metrics.sampling import WorkerSampler
from app.slow_requests import SlowRequests


def begin(worker: Any, slow_request_ms: int) -> Callable[[Iterable[Any]], None]:
    """Let a worker log its requests, and count them if there are metrics.

    Return what must be called with all connections, once a second.
    """
    slow = SlowRequests(slow_request_ms)
    if not metrics.is_on():
        worker.log.begin_worker(worker.loop, [slow])
        return _look_at_nothing
    return WorkerSampler(worker, worker.log.begin_worker(worker.loop, [slow, RequestCounter()]))


def _look_at_nothing(_protocols: Iterable[Any]) -> None:
    pass

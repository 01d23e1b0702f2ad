"""The metrics that the service has: names, types, labels and meanings. docs/metrics.md shows this table."""

from typing import NamedTuple

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
_REQUEST_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_WRITE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_CALLS = (1, 2, 5, 10, 20, 50, 100)


class Family(NamedTuple):
    """One metric. `buckets` are the upper limits of a histogram, without infinity.

    `is_shared`: every worker has the same number, so the largest one counts instead of the sum.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()
    is_shared: bool = False

    @property
    def size(self) -> int:
        """How many numbers one series has: a histogram has its buckets, the one up to infinity, and the sum."""
        return len(self.buckets) + 2 if self.kind == HISTOGRAM else 1


_ALL = (
    Family("http_requests_total", COUNTER, ("operation", "status"), "Requests with a response; 499: without one."),
    Family(
        "http_request_duration_seconds",
        HISTOGRAM,
        ("operation",),
        "From the headers of a request to the end of its response.",
        _REQUEST_SECONDS,
    ),
    Family("http_requests_in_flight", GAUGE, (), "Requests without a complete response, looked at once a second."),
    Family(
        "http_connections",
        GAUGE,
        ("phase",),
        "Open connections by what they are doing: `head`, `idle`, `body`, `serving`, `sending` or `closing`.",
    ),
    Family(
        "http_connections_refused_total",
        COUNTER,
        ("reason",),
        "Connections that a limit has ended: `per_ip`, or the phase that took too long.",
    ),
    Family(
        "contract_violations_total",
        COUNTER,
        ("side", "operation"),
        "Violations of the contract: each `request` that validation has refused, each fault of a `response`.",
    ),
    Family(
        "authentications_total",
        COUNTER,
        ("kind", "result"),
        "Credentials that were verified: `key`, `token`, or `-` for none (`ACCESS=secured`).",
    ),
    Family(
        "rate_limit_refusals_total",
        COUNTER,
        ("policy",),
        "Requests that a rate limit has refused, by the name in `RateLimit-Policy`.",
    ),
    Family("deprecated_requests_total", COUNTER, ("operation",), "Requests to deprecated operations."),
    Family(
        "operation_sunset_timestamp_seconds",
        GAUGE,
        ("operation",),
        "When a deprecated operation may be removed (`x-sunset`), in seconds since 1970.",
        is_shared=True,
    ),
    Family("database_commit_calls", HISTOGRAM, (), "Writes that share one commit (SQLite).", _CALLS),
    Family("database_commit_seconds", HISTOGRAM, (), "One commit (SQLite).", _WRITE_SECONDS),
    Family(
        "database_write_seconds",
        HISTOGRAM,
        (),
        "From the moment a write is ready to its commit, with the wait for others (SQLite).",
        _WRITE_SECONDS,
    ),
    Family("database_connections", GAUGE, ("state",), "Connections of the pools: `in_use` or `idle` (PostgreSQL)."),
    Family("database_connections_max", GAUGE, (), "The most connections that the pools may have (PostgreSQL)."),
    Family("database_bytes", GAUGE, (), "The size of the database file (SQLite)."),
    Family("database_wal_bytes", GAUGE, (), "The size of the write-ahead log (SQLite)."),
    Family("database_disk_free_bytes", GAUGE, (), "The space that is left for the database file (SQLite)."),
    Family(
        "idempotency_responses",
        GAUGE,
        (),
        "Responses that are kept for `Idempotency-Key`, at most, looked at once a minute.",
        is_shared=True,
    ),
    Family("log_lines_dropped_total", COUNTER, (), "Lines that were dropped because nobody read the log."),
    Family("workers", GAUGE, (), "Worker processes that are running."),
    Family("workers_wanted", GAUGE, (), "Worker processes that should be running."),
    Family("worker_starts_total", COUNTER, (), "Starts of worker processes."),
    Family("worker_delay_seconds", GAUGE, ("worker",), "How late the last task of a second was: the worker was busy."),
    Family("worker_memory_bytes", GAUGE, ("worker",), "Resident memory of a worker, with what it shares."),
    Family("worker_open_files", GAUGE, ("worker",), "Open file descriptors of a worker."),
    Family("worker_cpu_seconds_total", COUNTER, ("worker",), "Processor time of a worker, since it started."),
    Family("service_info", GAUGE, ("version", "python"), "Always 1; the labels describe the service."),
)
FAMILIES = {family.name: family for family in _ALL}

"""Looks at a worker, its connections and its database once a second: that costs no request anything."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from app import limits, metrics
from app.log_writer import LineWriter
from app.metrics import declared
from contract.spec.operations import all_operations
from db import idempotency
from db.engine import Database
from db.errors import DatabaseError

_SECONDS_BETWEEN_COUNTS = 60


class WorkerSampler:
    """Looks at a worker. Call it once a second."""

    def __init__(self, worker: Any, writer: LineWriter) -> None:
        self._loop = worker.loop
        self._name = str(worker.slot.number)
        self._writer = writer
        self._dropped = 0
        self._expected = 0.0

    def __call__(self, protocols: Iterable[Any]) -> None:
        """Set what can be seen now."""
        now = self._loop.time()
        if self._expected:
            metrics.gauge("worker_delay_seconds", max(0.0, now - self._expected), self._name)
        self._expected = now + 1
        phases = dict.fromkeys(limits.PHASES, 0)
        in_flight = 0
        for protocol in tuple(protocols):
            phases[protocol.phase()[0]] += 1
            in_flight += protocol.is_serving
        for phase, number in phases.items():
            metrics.gauge("http_connections", number, phase)
        metrics.gauge("http_requests_in_flight", in_flight)
        dropped = self._writer.dropped_since_start
        metrics.count("log_lines_dropped_total", by=dropped - self._dropped)
        self._dropped = dropped


def _begin_at_zero(contract: Mapping[str, Any]) -> None:
    """Create the counters of rare events. Prometheus sees the first event only if there was a 0 before."""
    declared.begin_at_zero(contract)
    for operation in ("-", *(operation.operation_id for operation in all_operations(contract))):
        for side in ("request", "response"):
            metrics.count("contract_violations_total", side, operation, by=0)
    for reason in ("per_ip", limits.HEAD, limits.BODY, limits.SENDING):
        metrics.count("http_connections_refused_total", reason, by=0)


async def sample_database(database: Database, contract: Mapping[str, Any]) -> None:
    """Look at a database, as long as the service runs."""
    _begin_at_zero(contract)
    seconds = 0
    while True:
        if seconds % _SECONDS_BETWEEN_COUNTS == 0:
            await _count_responses(database)
        pool = database.pool()
        if pool is not None:
            metrics.gauge("database_connections", pool.in_use, "in_use")
            metrics.gauge("database_connections", pool.idle, "idle")
            metrics.gauge("database_connections_max", pool.most)
        await asyncio.sleep(1)
        seconds += 1


async def _count_responses(database: Database) -> None:
    def count() -> int:
        with database.read() as connection:
            return idempotency.at_most(connection)

    try:
        number = count() if database.run_read is None else await database.run_read(count)
    except DatabaseError:  # the requests report it
        return
    metrics.gauge("idempotency_responses", number)


def commit_observer(calls: int, seconds: float, waits: list[float]) -> None:
    """Count one commit: how many writes shared it, how long it took, and how long each write took until then."""
    metrics.observe("database_commit_calls", calls)
    metrics.observe("database_commit_seconds", seconds)
    for wait in waits:
        metrics.observe("database_write_seconds", wait)

"""Clients that are counted one by one: wrk with one thread and one connection for each, see clients.lua."""

from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from benchmarks.load import wrk
from benchmarks.scenarios import CREATE, READ
from benchmarks.server import Server

SCRIPT = Path(__file__).with_name("clients.lua")


@dataclass(frozen=True)
class Load:
    """A number of clients, each of which sends its next request when it has a response; `writes` in per cent."""

    clients: int
    writes: int


@dataclass(frozen=True)
class Latencies:
    """The number of responses to reads or to writes, with their latencies in µs."""

    count: int
    p50: float
    p99: float


@dataclass(frozen=True)
class Sample:
    """The figures of one load.

    `cpu` is that of the server in µs per request. `slowest` is the number of responses that the slowest client got,
    divided by the mean. `failed` are responses with an error and those that did not arrive.
    """

    per_second: float
    cpu: float
    reads: Latencies
    writes: Latencies
    slowest: float
    failed: int

    @property
    def created(self) -> int:
        """How many items were created at least."""
        return self.writes.count - self.failed


def run(server: Server, load: Load, seconds: int) -> Sample:
    """Send reads of one item and durable POSTs as fast as the responses come."""
    arguments = [str(load.writes), str(READ[0]), str(READ[-1]), CREATE.body]
    before = server.cpu_seconds()
    figures = wrk(server, SCRIPT, arguments, seconds, load.clients, threads=load.clients)
    used = server.cpu_seconds() - before
    if not figures["requests"]:
        raise RuntimeError(f"{server.name} sent no response to {load}")
    return Sample(
        per_second=figures["requests"] / figures["microseconds"] * 1e6,
        cpu=used / figures["requests"] * 1e6,
        reads=Latencies(**figures["reads"]),
        writes=Latencies(**figures["writes"]),
        slowest=min(figures["clients"]) / mean(figures["clients"]),
        failed=figures["failed"],
    )

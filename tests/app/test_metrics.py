"""Metrics: what is counted, by several processes, and what is left of it when one has ended."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import jwt
import pytest
from connexion import FlaskApp
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.exposition import generate_latest as text_of
from prometheus_client.parser import text_string_to_metric_families

from app import create_app, metrics
from app import specification as app_specification
from app.access import attempts
from app.log_formats import Served
from app.metrics import declared
from app.metrics.collector import ServiceCollector, process
from app.metrics.exporter import shown
from app.metrics.families import COUNTER, FAMILIES, HISTOGRAM
from app.metrics.memory import SLOT_BYTES, Memory
from app.metrics.requests import RequestCounter
from app.metrics.sampling import commit_observer
from app.settings import Settings
from contract.spec.operations import Operation, all_operations
from tests.app.secured import new_key, secured_settings
from tests.support import ContractClient, specification

JWT_SECRET = "secret" * 8
DURATION = "http_request_duration_seconds"


@pytest.fixture
def memory() -> Iterator[Memory]:
    """Memory in which this process counts as the first worker."""
    memory = Memory()
    metrics.begin(memory.take("this"))
    yield memory
    metrics.begin(None)
    os.close(memory.descriptor)


def _samples(memory: Memory, database: Path | None = None) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return what Prometheus gets, by name and labels."""
    registry = CollectorRegistry()
    registry.register(ServiceCollector(memory, database, "1.0.0"))
    families = text_string_to_metric_families(text_of(registry).decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def _value(memory: Memory, name: str, **labels: str) -> float | None:
    return _samples(memory).get((name, frozenset(labels.items())))


def _count_in_another_process(memory: Memory, worker: str) -> int:
    """Let a process count in the slot of a worker, and end. Return its id."""
    slot = memory.take(worker)
    pid = os.fork()
    if not pid:
        metrics.begin(slot)
        metrics.count("log_lines_dropped_total", by=2)
        metrics.observe("database_commit_seconds", 0.03)
        metrics.gauge("http_requests_in_flight", 7)
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def _served(status: int, seconds: float, operation: str = "get_item") -> Served:
    return (0.0, "r1", "", "GET", "/", status, 0, seconds, operation, "")


def test_requests_are_counted_by_operation_and_status(memory: Memory) -> None:
    """The buckets are cumulative: each has all requests that took at most so long."""
    count = RequestCounter()
    count([_served(200, 0.0005), _served(200, 0.0006), _served(404, 0.3), _served(200, 99)])
    count([_served(200, 0.01, "list_items"), _served(404, 0, "-")])
    assert _value(memory, "http_requests_total", operation="get_item", status="200") == 3
    assert _value(memory, "http_requests_total", operation="get_item", status="404") == 1
    assert _value(memory, "http_requests_total", operation="-", status="404") == 1
    buckets = {le: _value(memory, f"{DURATION}_bucket", operation="get_item", le=le) for le in ("0.0005", "0.001")}
    assert buckets == {"0.0005": 1, "0.001": 2}
    assert _value(memory, f"{DURATION}_bucket", operation="get_item", le="10.0") == 3
    assert _value(memory, f"{DURATION}_bucket", operation="get_item", le="+Inf") == 4
    assert _value(memory, f"{DURATION}_count", operation="get_item") == 4
    assert _value(memory, f"{DURATION}_sum", operation="get_item") == pytest.approx(99.3011)
    assert _value(memory, f"{DURATION}_count", operation="list_items") == 1


def test_the_numbers_of_all_processes_are_summed(memory: Memory) -> None:
    """Counters, histograms and gauges."""
    metrics.count("log_lines_dropped_total", by=40)
    metrics.observe("database_commit_seconds", 0.001)
    metrics.gauge("http_requests_in_flight", 1)
    _count_in_another_process(memory, "other")
    assert _value(memory, "log_lines_dropped_total") == 42
    assert _value(memory, "database_commit_seconds_count") == 2
    assert _value(memory, "database_commit_seconds_sum") == pytest.approx(0.031)
    assert _value(memory, "http_requests_in_flight") == 8


def test_what_all_workers_see_is_not_summed(memory: Memory) -> None:
    """There is one database with one number of kept responses."""
    slots = memory.take("other"), memory.take("third")
    for slot, number in zip(slots, (3, 5), strict=True):
        metrics.begin(slot)
        metrics.gauge("idempotency_responses", number)
    assert _value(memory, "idempotency_responses") == 5


def test_the_counters_of_a_process_that_has_ended_stay(memory: Memory) -> None:
    """Its gauges go. Its slot goes to the next worker, which continues its counters."""
    _count_in_another_process(memory, "first")
    memory.give_back("first")
    assert _value(memory, "log_lines_dropped_total") == 2
    assert _value(memory, "http_requests_in_flight") is None
    assert _value(memory, "workers") == 1
    _count_in_another_process(memory, "second")
    assert memory.take("third").number == 3
    assert _value(memory, "log_lines_dropped_total") == 4
    assert _value(memory, "database_commit_seconds_count") == 2
    assert _value(memory, "http_requests_in_flight") == 7


def test_a_new_process_has_no_gauges_of_the_one_before(memory: Memory) -> None:
    """Until it sets them itself."""
    _count_in_another_process(memory, "first")
    memory.give_back("first")
    metrics.begin(memory.take("second"))
    assert _value(memory, "http_requests_in_flight") == 0


def test_a_worker_that_never_began_hides_no_other(memory: Memory) -> None:
    """It ended, or has not got so far yet."""
    memory.take("first")
    _count_in_another_process(memory, "second")
    assert _value(memory, "log_lines_dropped_total") == 2


def test_several_clients_get_the_same_numbers_at_once(memory: Memory) -> None:
    """Each sees all series, although all read new names at the same time."""
    registry = CollectorRegistry()
    registry.register(ServiceCollector(memory, None, "1.0.0"))
    for number in range(300):
        metrics.count("http_connections_refused_total", str(number), by=number)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: text_of(registry).count(b"http_connections_refused_total{"), range(16)))
    assert found == [300] * 16
    assert _value(memory, "http_connections_refused_total", reason="299") == 299


def test_a_slot_that_is_given_back_twice_is_free_once(memory: Memory) -> None:
    """Gunicorn may tell of a worker that never began."""
    memory.give_back("this")
    memory.give_back("this")
    assert memory.take("a").number == 1


def test_numbers_of_several_threads_are_not_lost(memory: Memory) -> None:
    """Handlers for PostgreSQL run on threads."""

    def count() -> None:
        for _ in range(2000):
            metrics.count("log_lines_dropped_total")
            metrics.observe("database_commit_calls", 3)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _value(memory, "log_lines_dropped_total") == 8000
    assert _value(memory, "database_commit_calls_sum") == 24000


def test_a_slot_that_is_full_takes_no_more_series(memory: Memory) -> None:
    """Known series still count, and nothing else changes."""
    metrics.count("log_lines_dropped_total")
    for number in range(SLOT_BYTES // 2 // 40):
        metrics.count("http_connections_refused_total", str(number))
    before = len(_samples(memory))
    for number in range(100):
        metrics.count("http_connections_refused_total", f"late-{number:040}")
        metrics.observe("database_commit_seconds", 0.1, f"late-{number:040}")
    metrics.count("log_lines_dropped_total")
    assert _value(memory, "log_lines_dropped_total") == 2
    assert len(_samples(memory)) == before
    assert len({value for (name, _), value in _samples(memory).items() if name.startswith("http_conn")}) == 1


def test_nothing_is_counted_without_memory() -> None:
    """A name that does not exist is an error in any case, so that tests find it."""
    assert not metrics.is_on()
    metrics.count("log_lines_dropped_total")
    metrics.gauge("http_requests_in_flight", 1)
    metrics.observe("database_commit_seconds", 1)
    for function in (metrics.count, lambda name: metrics.gauge(name, 1), lambda name: metrics.observe(name, 1)):
        with pytest.raises(KeyError):
            function("no_such_metric")


def test_prometheus_clients_can_read_it(memory: Memory, tmp_path: Path) -> None:
    """All names are valid in both formats, and unused metrics are left out."""
    for family in FAMILIES.values():
        labels = ("1",) * len(family.labels)
        if family.kind == COUNTER:
            metrics.count(family.name, *labels)
        elif family.kind == HISTOGRAM:
            metrics.observe(family.name, 1, *labels)
        else:
            metrics.gauge(family.name, 1, *labels)
    registry = CollectorRegistry()
    registry.register(ServiceCollector(memory, tmp_path / "items.db", "1.0.0"))
    found = {family.name for family in text_string_to_metric_families(text_of(registry).decode())}
    assert found == {family.name.removesuffix("_total") for family in FAMILIES.values()}
    encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0")
    assert encode(registry).endswith(b"# EOF\n")


def test_the_database_file_and_the_process_are_measured(memory: Memory, tmp_path: Path) -> None:
    """From outside of the workers."""
    file = tmp_path / "items.db"
    assert _samples(memory, file)["database_bytes", frozenset()] == 0
    file.write_bytes(bytes(10))
    (tmp_path / "items.db-wal").write_bytes(bytes(20))
    samples = _samples(memory, file)
    assert samples["database_bytes", frozenset()] == 10
    assert samples["database_wal_bytes", frozenset()] == 20
    assert samples["database_disk_free_bytes", frozenset()] > 0
    worker = frozenset({("worker", "1")})
    used, files, seconds = process(os.getpid())
    assert samples["worker_memory_bytes", worker] == pytest.approx(used, rel=0.5)
    assert samples["worker_open_files", worker] == pytest.approx(files, abs=5)
    assert 0 < samples["worker_cpu_seconds_total", worker] <= seconds
    assert samples["workers", frozenset()] == 1


def test_a_process_that_has_ended_is_not_measured() -> None:
    """Before its parent asks for its status, Linux still lists it, with no memory and no files."""
    with subprocess.Popen(["true"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.read() == b""
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ProcessLookupError):
            process(child.pid)


def test_a_commit_is_observed_with_its_writes(memory: Memory) -> None:
    """One commit of three writes."""
    commit_observer(3, 0.002, [0.01, 0.02, 0.03])
    assert _value(memory, "database_commit_calls_sum") == 3
    assert _value(memory, "database_commit_calls_count") == 1
    assert _value(memory, "database_commit_seconds_sum") == 0.002
    assert _value(memory, "database_write_seconds_count") == 3
    assert _value(memory, "database_write_seconds_sum") == pytest.approx(0.06)


@pytest.fixture
def counted(settings: Settings, memory: Memory, tmp_path: Path) -> FlaskApp:
    """The application with METRICS, whose numbers are in `memory`."""
    assert memory
    environment = {"DATABASE_URL": str(settings.database_url), "METRICS": f"{tmp_path}/socket"}
    return create_app(Settings.from_environ(environment))


@pytest.mark.parametrize(
    ("request_", "status", "operation"),
    [
        (("GET", "/items?limit=x", {}), 400, "list_items"),
        (("POST", "/items", {"json": {"nam": 1}}), 400, "create_item"),
        (("POST", "/items", {"content": b"a", "headers": {"Content-Type": "text/plain"}}), 415, "create_item"),
        (("GET", "/items", {"headers": {"Accept": "image/png"}}), 406, "list_items"),
        (("GET", "/items/1", {}), 404, None),
        (("PATCH", "/items", {}), 405, None),
        (("GET", "/nothing", {}), 404, None),
    ],
)
def test_requests_that_violate_the_contract_are_counted(
    counted: FlaskApp, memory: Memory, request_: tuple[str, str, Any], status: int, operation: str | None
) -> None:
    """Not the problems of handlers, nor paths and methods that the contract does not have."""
    method, path, options = request_
    with ContractClient(counted) as client:
        assert client.request(method, path, **options).status_code == status
    name = "contract_violations_total"
    found = {dict(labels)["operation"]: value for (n, labels), value in _samples(memory).items() if n == name and value}
    assert found == ({operation: 1} if operation else {})


def test_rare_counters_begin_at_zero(counted: FlaskApp, memory: Memory) -> None:
    """Prometheus notices the first event only if it has seen a 0 before."""
    with ContractClient(counted) as client:
        client.get("/healthz")
        for operation in (operation.operation_id for operation in all_operations(specification())):
            for side in ("request", "response"):
                assert _value(memory, "contract_violations_total", side=side, operation=operation) == 0
        assert _value(memory, "http_connections_refused_total", reason="per_ip") == 0
        assert _value(memory, "idempotency_responses") == 0


def _found(memory: Memory, name: str) -> dict[tuple[str, ...], float]:
    """Return the series of a metric by the values of their labels, sorted by label, without zeros."""
    return {
        tuple(value for _, value in sorted(labels)): value
        for (found, labels), value in _samples(memory).items()
        if found == name and value
    }


@pytest.fixture
def retiring(counted: FlaskApp, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FlaskApp:
    """The application, with a deprecated operation that has a sunset, and one without dates."""
    assert counted
    document = deepcopy(specification())
    document["paths"]["/items"]["get"] |= {
        "deprecated": True,
        "x-deprecated-since": "2026-11-01",
        "x-sunset": "2027-06-30",
        "x-rate-limit": {"requests": 2, "seconds": 60},
    }
    document["paths"]["/items/{item_id}"]["get"] |= {"deprecated": True}
    monkeypatch.setattr(app_specification, "load", lambda **_options: document)
    environment = {"DATABASE_URL": str(settings.database_url), "METRICS": f"{tmp_path}/socket"}
    return create_app(Settings.from_environ(environment))


def test_requests_to_deprecated_operations_are_counted(retiring: FlaskApp, memory: Memory) -> None:
    """All of them, also those that are refused; and there is the date after which one may be removed."""
    name = "deprecated_requests_total"
    with ContractClient(retiring) as client:
        assert client.get("/healthz").status_code == 200
        assert {labels for found, labels in _samples(memory) if found == name} == {
            frozenset({("operation", "list_items")}),
            frozenset({("operation", "get_item")}),
        }
        statuses = [client.get(path).status_code for path in ("/items", "/items?limit=x", "/items", "/items/1")]
        assert statuses == [200, 400, 429, 404]
        assert client.post("/items", json={"name": "a"}).status_code == 201
    assert _found(memory, name) == {("list_items",): 3, ("get_item",): 1}
    assert _found(memory, "operation_sunset_timestamp_seconds") == {("list_items",): 1814313600}


def test_an_operation_that_is_not_deprecated_pays_nothing(counted: FlaskApp) -> None:
    """There is no code around it."""
    assert counted
    operations = [Operation("get", "/x", {"operationId": "x", **more}, ()) for more in ({}, {"deprecated": False})]
    assert [declared.count_deprecated(operation) for operation in operations] == [None, None]


def test_requests_that_a_rate_limit_refuses_are_counted(retiring: FlaskApp, memory: Memory) -> None:
    """By the name of the limit: the operation's, or `default`."""
    with ContractClient(retiring) as client:
        assert [client.get("/items").status_code for _ in range(4)] == [200, 200, 429, 429]
        assert client.post("/items", json={"name": "a"}).status_code == 201
        assert _value(memory, "rate_limit_refusals_total", policy="default") == 0
    assert _found(memory, "rate_limit_refusals_total") == {("list_items",): 2}


@pytest.fixture
def secured(memory: Memory, tmp_path: Path) -> FlaskApp:
    """The application with METRICS, access control, and tokens with a shared secret."""
    assert memory
    (tmp_path / "jwt.secret").write_text(JWT_SECRET)
    tokens = {"JWT_SECRET_FILE": f"{tmp_path}/jwt.secret", "JWT_ALGORITHM": "HS256", "JWT_ISSUER": "i"}
    return create_app(secured_settings(tmp_path, METRICS=f"{tmp_path}/socket", JWT_AUDIENCE="a", **tokens))


def _token(seconds: int = 60, secret: str = JWT_SECRET) -> dict[str, str]:
    claims = {"iss": "i", "aud": "a", "sub": "s", "exp": int(time.time()) + seconds, "scope": "items:read"}
    return {"Authorization": f"Bearer {jwt.encode(claims, secret, 'HS256')}"}


def test_authentications_are_counted_by_kind_and_result(secured: FlaskApp, memory: Memory) -> None:
    """Nothing that a client sends is a label."""
    run = secured.app.test_cli_runner().invoke
    rotated = new_key(secured, "rotated")
    run(args=["keys", "rotate", "rotated", "--hours", "0"])
    revoked = new_key(secured, "revoked")
    run(args=["keys", "revoke", "revoked"])
    reader = new_key(secured, "reader", "items:read")
    with ContractClient(secured) as client:
        requests = [reader, reader, revoked, rotated, {"X-API-Key": "x"}, {}, _token(), _token()]
        requests += [_token(-60), _token(secret="other" * 9), {"Authorization": "Bearer x"}]
        statuses = [client.get("/items", headers=headers).status_code for headers in requests]
        assert statuses == [200, 200, 401, 401, 401, 401, 200, 200, 401, 401, 401]
        assert client.post("/items", json={"name": "a"}, headers=reader).status_code == 403
        assert client.post("/items", json={"name": "a"}, headers=_token()).status_code == 403
        assert client.get("/healthz").status_code == 200
        for _ in range(attempts.FAILURES):
            last = client.get("/items", headers={"X-API-Key": "x"})
        assert last.status_code == client.get("/items", headers=_token(seconds=70)).status_code == 429
    assert _found(memory, "authentications_total") == {
        ("key", "accepted"): 2,
        ("key", "revoked"): 1,
        ("key", "expired"): 1,
        ("key", "unknown"): 15,
        ("key", "scope"): 1,
        ("key", "too_many"): 6,
        ("token", "accepted"): 2,
        ("token", "expired"): 1,
        ("token", "invalid"): 2,
        ("token", "scope"): 1,
        ("token", "too_many"): 1,
        ("-", "missing"): 1,
    }
    known = {(kind, result) for kind, results in declared._RESULTS.items() for result in results}
    series = [dict(labels) for name, labels in _samples(memory) if name == "authentications_total"]
    assert {(labels["kind"], labels["result"]) for labels in series} == known


def test_authentications_without_memory_are_not_counted() -> None:
    """As under a server that gives no memory to its workers."""
    declared.AuthenticationCounter()("ApiKey", "accepted")


def test_writes_are_counted_with_their_commits(counted: FlaskApp, memory: Memory) -> None:
    """Those that fail have no commit of their own."""
    with ContractClient(counted) as client:
        assert client.post("/items", json={"name": "a"}).status_code == 201
        assert client.delete("/items/2").status_code == 404
        assert client.get("/items").status_code == 200
    assert _value(memory, "database_commit_calls_sum") == 2
    assert _value(memory, "database_write_seconds_count") == 2


def test_where_metrics_are_served() -> None:
    """As a person can use it."""
    assert shown(("127.0.0.1", 9000)) == "http://127.0.0.1:9000/metrics"
    assert shown(("::1", 9000)) == "http://[::1]:9000/metrics"
    assert shown("/run/metrics") == "/run/metrics"

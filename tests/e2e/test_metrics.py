"""The metrics of the real service, with several workers and kills, and a real Prometheus with the files of ops/."""

import errno
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from db.postgresql import THREADS
from tests.docs.markdown import blocks, read
from tests.e2e.postgresql import postgresql, upgrade
from tests.e2e.stack import (
    ROOT,
    Running,
    Show,
    ask,
    edge,
    free_port,
    is_running,
    listens,
    post,
    service,
    wait_until,
    workers,
)
from tests.e2e.test_access import keys
from tests.extending import copy
from tests.ops.test_ops import RULES, queries

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
SERVE, PROMTOOL, DRAW, INSTALL = blocks(read("docs/metrics.md"), "sh")
(PROMETHEUS_YML,) = blocks(read("docs/metrics.md"), "yaml")
# Without the thing that they are about, these have no data.
NEEDS_POSTGRESQL = "database_connections"


@contextmanager
def counted(folder: Path, root: Path = ROOT, **settings: str) -> Iterator[tuple[Running, int]]:
    """Run the service of a checkout with METRICS; the value is the service and the port of the metrics."""
    port = free_port()
    settings["METRICS"] = f"127.0.0.1:{port}"
    with service(folder, root=root, prefix=(), **settings) as running:
        wait_until(lambda: listens(port), "the metrics")
        yield running, port


def samples(port: int) -> dict[tuple[str, ...], float]:
    """Return what the service exposes: the values by name and values of labels, sorted by label."""
    response = ask(port, "GET", "/metrics")
    assert (response.status, response["Content-Type"].partition(";")[0]) == (200, "text/plain")
    families = text_string_to_metric_families(response.body.decode())
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def children(running: Running, port: int) -> tuple[set[int], int]:
    """Return the workers, and the exporter: the child that listens on its port."""
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inode = next(line[9] for line in listening if line[1].endswith(f":{port:04X}") and line[3] == "0A")
    for pid in workers(running):
        with suppress(OSError):
            if f"socket:[{inode}]" in open_files(pid):
                return workers(running) - {pid}, pid
    pytest.fail("no child serves the metrics")


def open_files(pid: int) -> set[str]:
    """Return the names of the files that a process has open."""
    return {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()}


def test_the_numbers_are_exact_with_several_workers_and_after_kills(tmp_path: Path) -> None:
    """Workers that are killed leave their counters to the next ones, as a reload does."""
    key = ("http_requests_total", "get_item", "404")
    with counted(tmp_path, WEB_CONCURRENCY="3") as (running, port):
        for times in range(1, 5):
            for number in range(40):
                assert ask(running.port, "GET", f"/items/{number + 1}").status == 404
            wait_until(lambda: samples(port).get(key) == times * 40, "all requests counted")  # noqa: B023 -- called at once
            found, _ = children(running, port)
            if times % 2:
                os.kill(min(found), signal.SIGKILL)
            else:
                running.process.send_signal(signal.SIGHUP)
            wait_until(lambda: len(children(running, port)[0] - found) == (1 if times % 2 else 3), "new workers")  # noqa: B023
            wait_until(lambda: samples(port)[("workers",)] == 3, "all workers counting")
            wait_until(lambda: ask(running.port, "GET", "/readyz").status == 200, "ready")
            assert samples(port)[key] == times * 40
        assert samples(port)["http_request_duration_seconds_count", "get_item"] == 160
        assert samples(port)[("worker_starts_total",)] == 3 + 1 + 3 + 1 + 3
        assert samples(port)[("workers_wanted",)] == 3


def test_the_metrics_are_there_while_all_workers_hang(tmp_path: Path) -> None:
    """Another process serves them. If it is killed, there is a new one, with the same numbers."""
    key = ("http_requests_total", "list_items", "200")
    with counted(tmp_path) as (running, port):
        assert ask(running.port, "GET", "/items").status == 200
        wait_until(lambda: samples(port).get(key) == 1, "the request counted")
        found, exporter = children(running, port)
        for pid in found:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert samples(port)[key] == 1
            os.kill(exporter, signal.SIGKILL)
            wait_until(lambda: not is_running(exporter) and listens(port), "a new exporter")
            assert samples(port)[key] == 1
            assert samples(port)[("workers",)] == 2
        finally:
            for pid in found:
                os.kill(pid, signal.SIGCONT)
        assert ask(running.port, "GET", "/items").status == 200


def test_nothing_else_is_served_there_and_nothing_of_it_elsewhere(tmp_path: Path) -> None:
    """Not by the service, and not by nginx."""
    with counted(tmp_path) as (running, port), edge(tmp_path / "edge", running.port) as nginx:
        assert [ask(port, "GET", path).status for path in ("/", "/items", "/metrics/")] == [404, 404, 404]
        assert ask(port, "POST", "/metrics").status == 501
        assert [ask(at, "GET", "/metrics").status for at in (running.port, nginx.port)] == [404, 404]
        _, exporter = children(running, port)
        sockets = [name for name in open_files(exporter) if name.startswith("socket:")]
        assert len(sockets) == 1, "it has none of the service's"


def test_a_client_that_sends_nothing_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    """Each has a thread, for five seconds."""
    with counted(tmp_path) as (_, port), socket.create_connection(("127.0.0.1", port), timeout=20) as silent:
        assert samples(port)[("workers",)] == 2
        assert silent.recv(1) == b"", "closed"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_exporter_ends_with_the_service(tmp_path: Path, number: signal.Signals) -> None:
    """However that ends."""
    with counted(tmp_path) as (running, port):
        found, exporter = children(running, port)
        running.process.send_signal(number)
        wait_until(lambda: not is_running(exporter), "ended")
        wait_until(lambda: not any(map(is_running, found)), "the workers, too")
        assert not listens(port)


def test_a_unix_socket_has_them_too(tmp_path: Path) -> None:
    """It is removed at the end."""
    path = tmp_path / "metrics.sock"
    with service(tmp_path, METRICS=str(path)) as running:
        wait_until(path.exists, "the socket")
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(path))
        connection.request("GET", "/metrics")
        assert b"\nworkers 2.0\n" in connection.getresponse().read()
        connection.close()
        assert running.process.poll() is None
    assert not path.exists()


def test_a_port_in_use_stops_the_start(tmp_path: Path) -> None:
    """With one message."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"127.0.0.1:{taken.getsockname()[1]}"
        environment = {**os.environ, "PORT": "0", "METRICS": url, "DATABASE_URL": f"sqlite:///{tmp_path}/items.db"}
        command = [sys.executable, "-m", "app"]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    reason = os.strerror(errno.EADDRINUSE)
    found = f"The service cannot start. METRICS is http://{url}/metrics, which cannot be used: {reason}.\n"
    assert done.stderr == found


def test_a_trace_is_in_the_logs_behind_nginx(tmp_path: Path) -> None:
    """In the access log, in errors, and in the warning about the failed request; an invalid one is nowhere."""
    with service(tmp_path, LOG_FORMAT="json") as running, edge(tmp_path / "edge", running.port) as nginx:
        assert ask(nginx.port, "GET", "/items", headers={**TRACEPARENT, "X-Request-Id": "good"}).status == 200
        bad = {"traceparent": f"00-{'0' * 32}-{SPAN}-01", "X-Request-Id": "bad"}
        assert ask(nginx.port, "GET", "/items", headers=bad).status == 200
        (tmp_path / "items.db").rename(tmp_path / "away.db")
        headers = {**TRACEPARENT, "X-Request-Id": "failed", "Content-Type": "application/json"}
        failed = ask(running.port, "POST", "/items", b'{"name": "a"}', headers)  # a read looks for the file seldom
        assert failed.status == 503
        wait_until(lambda: running.err.read_text().count('"request_id":"failed"') >= 3, "three lines")
        (tmp_path / "away.db").rename(tmp_path / "items.db")
    lines = [json.loads(line) for line in running.err.read_text().splitlines()]
    traced = [(line["request_id"], line["logger"]) for line in lines if line.get("trace_id") == TRACE]
    assert Counter(traced) == {
        ("good", "access"): 1,
        ("failed", "access"): 1,
        ("failed", "db.sqlite"): 1,
        ("failed", "contract"): 1,
        ("failed", "app.slow_requests"): 1,
    }
    assert [nginx.line(name)["trace_id"] for name in ("good", "bad")] == [TRACE, ""]
    (warning,) = (line for line in lines if line["logger"] == "app.slow_requests")
    assert (warning["level"], warning["operation"]) == ("warning", "create_item")
    assert [line for line in lines if line["request_id"] == "bad" and "trace_id" in line] == []


class _Collector(BaseHTTPRequestHandler):
    """Takes OTLP over HTTP."""

    received: list[Any]

    def do_POST(self) -> None:
        """Keep the spans."""
        body = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for part in body.resource_spans:
            self.received += [(part.resource, span) for scope in part.scope_spans for span in scope.spans]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Log nothing."""


@contextmanager
def collector() -> Iterator[tuple[int, list[Any]]]:
    """Run a collector; the value is its port and what it has received."""
    received: list[Any] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Collector", (_Collector,), {"received": received}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_spans_are_exported(tmp_path: Path) -> None:
    """One for each request to an operation, below the client's; all of them, because a stop exports what is left."""
    with collector() as (port, received):
        url = f"http://127.0.0.1:{port}"
        with service(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=url, LOG_FORMAT="json") as running:
            assert ask(running.port, "GET", "/items/7?x=1", headers={**TRACEPARENT, "X-Request-Id": "a"}).status == 400
            assert post(running.port, {"name": "new"}, {"X-Request-Id": "b"}).status == 201
            assert ask(running.port, "GET", "/ui/").status == 200
        lines = [json.loads(line) for line in running.err.read_text().splitlines()]
    spans = {span.name: span for _, span in received if not span.name.endswith("z")}
    assert set(spans) == {"GET /items/{item_id}", "POST /items"}
    assert {a.key: a.value.string_value for a in received[0][0].attributes}["service.name"] == "items"
    get, create = spans["GET /items/{item_id}"], spans["POST /items"]
    assert (get.trace_id.hex(), get.parent_span_id.hex(), get.kind) == (TRACE, SPAN, 2)
    attributes = {a.key: a.value.string_value or a.value.int_value for a in get.attributes}
    assert attributes == {
        "http.request.method": "GET",
        "http.route": "/items/{item_id}",
        "http.response.status_code": 400,
        "openapi.operation_id": "get_item",
        "url.path": "/items/7",
        "url.scheme": "http",
    }
    traces = {line["request_id"]: line.get("trace_id") for line in lines if line["logger"] == "access"}
    assert traces["a"] == TRACE
    assert traces["b"] == create.trace_id.hex(), "a new trace is in the log, too"


def _prometheus() -> str:
    """Return the path of Prometheus; skip the test if it is not installed."""
    program = shutil.which("prometheus")
    if program is None or shutil.which("promtool") is None:
        pytest.skip("Prometheus is not installed (apt-get install prometheus)")
    return program


@contextmanager
def prometheus(folder: Path, *targets: int) -> Iterator[int]:
    """Run Prometheus with the configuration of the page and the rules in ops/, every second. The value is its port.

    It collects from these ports.
    """
    program, port = _prometheus(), free_port()
    configuration = yaml.safe_load(PROMETHEUS_YML)
    assert configuration["rule_files"] == ["ops/alerts.yaml"]
    configuration["rule_files"] = [str(ROOT / "ops/alerts.yaml")]
    (job,) = configuration["scrape_configs"]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{target}" for target in targets]}]
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    command = [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/prometheus"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        wait_until(lambda: listens(port) and ask(port, "GET", "/-/ready").status == 200, "Prometheus ready")
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _use(port: int, times: int, key: Mapping[str, str]) -> None:
    """Use every operation, and make mistakes."""
    for number in range(times):
        created = post(port, {"name": f"item {number}"}, {"Idempotency-Key": f"{time.time_ns()}", **key})
        assert created.status == 201
        statuses = [
            ask(port, method, path, body, {"Content-Type": "application/json", **key}).status
            for method, path, body in (
                ("GET", created["Location"], None),
                ("GET", "/items?limit=x", None),
                ("GET", "/nothing", None),
                ("POST", "/items", b"{}"),
                ("DELETE", created["Location"], None),
            )
        ]
        assert statuses == [200, 400, 404, 400, 204]


def _retiring(folder: Path) -> Path:
    """Return a copy of the project in which an operation is deprecated, and has a sunset."""
    copy(folder)
    contract = folder / "openapi/items.yaml"
    found = "      operationId: list_items\n"
    dates = '      deprecated: true\n      x-deprecated-since: "2026-11-01"\n      x-sunset: "2999-06-30"\n'
    assert found in contract.read_text()
    contract.write_text(contract.read_text().replace(found, found + dates))
    return folder


def test_prometheus_evaluates_the_dashboard_and_the_rules(tmp_path: Path, show: Show) -> None:
    """Every expression has data, except those about PostgreSQL; every rule is evaluated, and none fires."""

    def result(query: str) -> list[Any]:
        response = ask(at, "GET", f"/api/v1/query?query={quote(query)}").json()
        assert response["status"] == "success", response
        return [one for one in response["data"]["result"] if one["value"][1] not in ("NaN", "+Inf")]

    settings = {"ACCESS": "secured", "KEYS_SECRET_FILE": f"{tmp_path}/keys.secret"}
    with (
        counted(tmp_path, _retiring(tmp_path / "project"), **settings) as (running, port),
        prometheus(tmp_path, port) as at,
    ):
        key = {"X-API-Key": keys(tmp_path, "create", "a", "--scope=items:read", "--scope=items:write").strip()}
        missing = list(queries())
        total = len(missing)

        def all_have_data() -> bool:
            _use(running.port, 3, key)
            missing[:] = [query for query in missing if not result(query)]
            return all(NEEDS_POSTGRESQL in query for query in missing)

        wait_until(all_have_data, "data for every panel", 60)
        wait_until(lambda: _healths(at) == {"ok"}, "every rule evaluated")
        rules = ask(at, "GET", "/api/v1/rules").json()["data"]["groups"][0]["rules"]
        assert [(rule["name"], rule["state"]) for rule in rules if rule["state"] == "firing"] == []
        assert len(rules) == len(RULES)
    show(f"Prometheus: {total - len(missing)} of {total} expressions have data, the others need PostgreSQL")


def _healths(port: int) -> set[str]:
    groups = ask(port, "GET", "/api/v1/rules").json()["data"]["groups"]
    return {rule["health"] for group in groups for rule in group["rules"]}


def test_the_connections_to_postgresql_are_counted(tmp_path: Path) -> None:
    """They have data then, and what is about SQLite has none."""
    with postgresql() as cluster:
        upgrade(cluster.url)
        with counted(tmp_path, DATABASE_URL=cluster.url) as (running, port):
            assert post(running.port, {"name": "new"}).status == 201
            wait_until(lambda: samples(port).get(("database_connections", "idle"), 0) >= 1, "a connection")
            found = samples(port)
            assert found[("database_connections_max",)] == 2 * 2 * THREADS
            assert found["database_connections", "in_use"] <= found[("database_connections_max",)]
            assert ("database_bytes",) not in found
            assert ("database_commit_calls_sum",) not in found


def test_the_rules_pass_their_test() -> None:
    """With the commands of the page."""
    _prometheus()
    done = subprocess.run(["bash", "-euc", PROMTOOL], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SUCCESS") == 2


def test_the_other_commands_of_the_page_name_what_exists() -> None:
    """They start the service with settings, and install what is locked."""
    assert SERVE == "METRICS=127.0.0.1:9000 make run\n"
    assert DRAW.split()[1:3] == ["-m", "tools.dashboard"]
    install, serve = INSTALL.splitlines()
    assert install.startswith(".venv/bin/python -m pip install --require-hashes -r ")
    assert "opentelemetry-sdk==" in (ROOT / install.split()[-1]).read_text()
    assert serve == "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 make run"

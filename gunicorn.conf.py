"""Gunicorn's settings (https://gunicorn.org/reference/settings/). `app.settings` has those that users can change."""

import gc
import signal
import sys
from pathlib import Path
from typing import Any

from app import metrics
from app.drain import refuse_new_connections
from app.logs import configuration, log_prints
from app.metrics.main_process import MainProcess
from app.settings import Settings, SettingsError
from app.start import StartError, check_access, check_secret, create_database, merge_wal, welcome

log_prints()
try:
    _settings = Settings.from_environ()
except SettingsError as error:
    sys.exit(f"The service cannot start. {error}")


def on_starting(server: Any) -> None:
    """Check access and its secret, and create or migrate the database, before the first worker starts.

    `python -m app` has done it before, `gunicorn app:app` has not.
    """
    try:
        check_access(_settings.access, server.cfg.address)
        check_secret(_settings)
        create_database(_settings.database_url)
    except StartError as error:
        sys.exit(f"The service cannot start. {error}")
    if _settings.metrics is not None:
        url = _settings.database_url
        file = Path(str(url.database)).absolute() if url.get_backend_name() == "sqlite" else None
        server.metrics = MainProcess(server, _settings.metrics, file)


def pre_fork(server: Any, worker: Any) -> None:
    """Give the worker memory for its metrics."""
    if (shared := getattr(server, "metrics", None)) is not None:
        shared.begin_worker(worker)


def child_exit(server: Any, worker: Any) -> None:
    """Keep the metrics of a worker that has ended for the next one."""
    if (shared := getattr(server, "metrics", None)) is not None:
        shared.end_worker(worker)


def when_ready(server: Any) -> None:
    """Welcome the user. When the service stops, refuse new connections before the first worker stops: none is lost.

    Not on a socket that another process has opened (fd://): it stays open, and keeps the connections for the next
    service.
    """
    if _settings.welcome:
        sys.stderr.write(welcome(server.LISTENERS, _settings.database_url))
        sys.stderr.flush()
    if server.systemd or any(bound.startswith("fd://") for bound in server.cfg.bind):
        return
    stop = server.stop

    def stop_without_loss(graceful: bool = True) -> None:  # noqa: FBT001, FBT002 -- Gunicorn's signature
        # Not if systemd or another main process (SIGUSR2) has the same socket, and goes on with it.
        if server.reexec_pid == server.master_pid == 0 and not server.systemd:
            for listener in server.LISTENERS:
                refuse_new_connections(listener.sock)
        stop(graceful)

    server.stop = stop_without_loss


def on_exit(server: Any) -> None:
    """Leave one database file, when all workers have ended."""
    if (shared := getattr(server, "metrics", None)) is not None:
        shared.stop()
    merge_wal(_settings.database_url)


def post_fork(server: Any, worker: Any) -> None:
    """Exclude objects from before the fork from garbage collection, and handle an early end.

    Until a worker installs its own signal handlers, it has those of the main process, which only queue the signal.
    Stopping the service right after its start would then take the whole `graceful_timeout`.
    """
    metrics.begin(getattr(worker, "slot", None))
    gc.set_threshold(10_000)  # a request leaves few cycles, and looking for them costs 4 % of a GET at Python's 700
    gc.freeze()  # these objects live as long as the worker: scanning them takes time and copies shared memory
    ends = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
    for number in ends:
        signal.signal(number, signal.SIG_DFL)
    while not server.SIG_QUEUE.empty():
        if server.SIG_QUEUE.get() in ends:
            sys.exit(0)


wsgi_app = "app:app"
bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
forwarded_allow_ips = _settings.forwarded_allow_ips

# A subclass of Gunicorn's asgi worker (with gunicorn_h1c and uvloop) that sends problem details. Unlike uvicorn-worker,
# the asgi worker honours graceful_timeout and passes the fault tests in tests/e2e/test_server.py.
worker_class = "app.worker.Worker"
workers = _settings.web_concurrency
asgi_lifespan = "on"

# Compile the contract once, before the fork. SIGHUP replaces the workers and reloads this file; new code needs a
# restart.
preload_app = True

# Seconds after which a worker whose event loop hangs is killed and replaced. Its connections wait for that, but no new
# ones: the other workers accept them. A body may be silent for as long.
timeout = 10
graceful_timeout = _settings.graceful_timeout
keepalive = 75  # seconds; longer than nginx's 60, so that nginx never sends a request on a closed connection
backlog = 2048
# The most connections of a worker, fewer if the limit of open files is low. Those that have waited longest for their
# clients make room for new ones.
worker_connections = 10_000

limit_request_line = 8190  # bytes; a longer line is a 414
limit_request_fields = 68  # headers; more are a 431. A client has 64: nginx adds up to four of its own
limit_request_field_size = 8190  # bytes per header; a longer header is a 431

control_socket_disable = True  # not used, and the root file system may be read-only

logger_class = "app.logs.GunicornLogger"
logconfig_dict = configuration(_settings.log_level, _settings.log_format)
accesslog = "-" if _settings.access_log else None

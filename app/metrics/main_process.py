"""The part of Gunicorn's main process: gives memory to the workers, and keeps the exporter running."""

import gc
import logging
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from app import metrics
from app.metrics.memory import Memory
from app.setting_values import Bind
from app.settings import ROOT

logger = logging.getLogger(__name__)


class MainProcess:
    """Starts the exporter as a child of the main process, and again if it ends.

    `server` is Gunicorn's arbiter, `database` the file of SQLite.
    """

    def __init__(self, server: Any, bind: Bind, database: Path | None) -> None:
        self._server = server
        self._bind = bind
        self._database = database
        self._memory = Memory()
        self._exporter = 0
        metrics.begin(self._memory.slot(0))
        manage = server.manage_workers

        def manage_workers() -> None:  # Gunicorn has no hook that it calls once a second
            manage()
            self.watch()

        server.manage_workers = manage_workers

    def begin_worker(self, worker: Any) -> None:
        """Give memory to a worker that is about to start."""
        metrics.count("worker_starts_total")
        worker.slot = self._memory.take(worker)

    def end_worker(self, worker: Any) -> None:
        """Note that a worker has ended."""
        self._memory.give_back(worker)

    def watch(self) -> None:
        """Start the exporter unless it is running."""
        metrics.gauge("workers_wanted", self._server.num_workers)
        if not self._exporter or _has_ended(self._exporter):
            self._exporter = self._start()

    def stop(self) -> None:
        """End the exporter."""
        from app.metrics.exporter import remove

        if self._exporter:
            with suppress(OSError):
                os.kill(self._exporter, signal.SIGKILL)  # it has nothing to finish
                os.waitpid(self._exporter, 0)
            self._exporter = 0
            if not self._server.reexec_pid:  # else it belongs to the service that has replaced this one
                remove(self._bind)

    def _start(self) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        try:
            self._serve(parent)
        except BaseException:
            logger.exception("The process that serves the metrics has failed")
        finally:
            os._exit(1)

    def _serve(self, parent: int) -> None:
        """Be the exporter, which has nothing else of the main process."""
        for number in self._server.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which ends this one
        for listener in self._server.LISTENERS:
            os.close(listener.fileno())
        gc.freeze()
        metrics.begin(None)
        from prometheus_client import CollectorRegistry  # nobody else needs it

        from app.metrics import exporter
        from app.metrics.collector import ServiceCollector

        contract = yaml.safe_load((ROOT / "openapi" / "items.yaml").read_bytes())
        registry = CollectorRegistry()
        registry.register(ServiceCollector(self._memory, self._database, contract["info"]["version"]))
        exporter.serve(self._bind, registry, parent)


def _has_ended(pid: int) -> bool:
    """Return whether a child has ended. Gunicorn may have noticed it first."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True

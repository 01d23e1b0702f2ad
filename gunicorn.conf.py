"""Gunicorn's settings: https://gunicorn.org/reference/settings/. What a user may set comes from `app.settings`."""

import gc
import signal
import sys
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from app.logs import configuration
from app.settings import ROOT, Settings, SettingsError
from db.engine import Database

try:
    _settings = Settings.from_environ()
except SettingsError as error:
    sys.exit(f"The service cannot start. {error}")


def on_starting(_server: Any) -> None:
    """Make sure of the database before any worker is there: one message ends a start that cannot succeed."""
    database = Database(_settings.database_url)
    try:
        database.create()
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        sys.exit(f"The service cannot start. The database cannot be used: {reason}")
    finally:
        database.close()


def post_fork(server: Any, _worker: Any) -> None:
    """Leave what was loaded before the fork alone; and end a worker that is told to before it has its own handlers.

    The main process's, until then, swallow it: SIGTERM shortly after a start would take the whole `graceful_timeout`.
    """
    gc.freeze()  # what the application is made of stays: no collection has to go through it, nor to unshare its memory
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while not server.SIG_QUEUE.empty():
        if server.SIG_QUEUE.get() == signal.SIGTERM:
            sys.exit(0)


wsgi_app = "app:app"
bind = f"{_settings.host}:{_settings.port}"

# Gunicorn's own asgi worker (with gunicorn_h1c and uvloop), rather than uvicorn-worker: it keeps to graceful_timeout,
# and passes the fault tests of tests/e2e/test_server.py. The subclass answers in problem details.
worker_class = "app.worker.Worker"
workers = 1 if _settings.reload else _settings.web_concurrency
asgi_lifespan = "on"

# Compiled once, then forked. A change of code needs a restart; SIGHUP renews the workers and reads this file again.
preload_app = not _settings.reload
reload = _settings.reload
reload_extra_files = [str(path) for path in (ROOT / "openapi").glob("*.yaml")]

timeout = 30  # seconds without a sign of life after which a worker is killed and replaced
graceful_timeout = _settings.graceful_timeout
keepalive = 75  # seconds; longer than nginx keeps idle connections (60), so that nginx never sends into a closed one
backlog = 2048

limit_request_line = 8190  # bytes; 414 beyond
limit_request_fields = 64  # headers; 431 beyond
limit_request_field_size = 8190  # bytes each; 431 beyond

control_socket_disable = True  # nothing here is steered while it runs, and the root file system may be read-only

logger_class = "app.logs.GunicornLogger"
logconfig_dict = configuration(_settings.log_level)
accesslog = "-" if _settings.access_log else None
access_log_format = '%(h)s "%(r)s" %(s)s %(B)s bytes %(M)s ms'

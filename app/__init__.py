"""The composition root: puts contract, handlers and database together.

`gunicorn app:app` serves the application of this environment's settings. It is made when it is first asked for, so
that importing this package does nothing.
"""

import asyncio
import logging
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")  # Connexion's import of it
from connexion import FlaskApp

import contract
from app import metrics
from app import specification as contracts
from app.access import Access
from app.access.commands import key_commands
from app.access.owner_commands import owner_commands
from app.audit import AuditLog
from app.commands import database_commands
from app.cors import cors
from app.dry_run import DryRun
from app.errors import ERRORS
from app.idempotency import IdempotencyKeys
from app.logs import configure
from app.metrics.declared import AuthenticationCounter, count_deprecated
from app.metrics.sampling import commit_observer, sample_database
from app.pages import add_pages
from app.problem_pages import problem_types
from app.rate_limits import RateLimits
from app.removal import remove_old_rows
from app.settings import Settings, SettingsError
from app.start import DATABASE_FAULTS
from app.telemetry import Telemetry
from contract import Around, ContractError
from contract.violations import ignore
from db.engine import Database
from handlers.database import EXTENSION
from handlers.owners import EXTENSION as OWNERS

logger = logging.getLogger(__name__)
SPECIFICATION = contracts.SPECIFICATION
Background = Callable[[], Coroutine[Any, Any, None]]
"""What runs beside the requests, as long as the service runs."""
HANDLERS = "handlers"


def create_app(settings: Settings) -> FlaskApp:
    """Return the application. Opens no database: that happens when a server starts it. Raise `ContractError`."""
    database = _database(settings)
    keys = IdempotencyKeys(database, timedelta(hours=settings.idempotency_hours))
    access = Access(settings, database)
    audit_log = [AuditLog(database, timedelta(days=settings.audit_days))] if access.is_secured else []
    specification = contracts.load(secured=access.is_secured)
    observing, around = _observers(settings, database, specification)
    removal = partial(remove_old_rows, database, [keys, *audit_log])
    lifespan = _lifespan(database, [removal, *access.background, *observing])
    application = FlaskApp(__name__, lifespan=lifespan, server_args={"static_folder": None})
    application.app.extensions[EXTENSION] = database
    application.app.extensions[OWNERS] = access.is_secured
    application.app.cli.add_command(database_commands(settings.database_url))
    application.app.cli.add_command(key_commands(settings))
    application.app.cli.add_command(owner_commands(settings.database_url))
    add_pages(application.app, contracts.source(specification, secured=access.is_secured), specification)
    contract.install(
        application,
        specification,
        HANDLERS,
        errors=ERRORS,
        run=database.run_read,
        run_unsafe=database.run,
        enforce=settings.validate_responses == "enforce",
        around=around,
        capabilities=[DryRun(database), keys, *audit_log],
        limiter=RateLimits(settings.rate_limit_file),
        problem_types=problem_types(),
        verifiers=access.verifiers,
        outside=cors(settings.cors_origins, specification),
        on_violation=partial(metrics.count, "contract_violations_total"),
        on_authentication=AuthenticationCounter() if settings.metrics is not None else ignore,
    )
    return application


def _observers(
    settings: Settings, database: Database, specification: contract.Contract
) -> tuple[list[Background], list[Around]]:
    """Return what counts and traces the requests: beside them, and around them."""
    background: list[Background] = []
    around: list[Around] = []
    if settings.metrics is not None:
        background.append(partial(sample_database, database, specification))
        around.append(count_deprecated)
    if settings.otel_exporter_otlp_endpoint:
        telemetry = Telemetry(specification["info"]["version"])
        background.append(telemetry.run)
        around.append(telemetry.around)
    return background, around


def _database(settings: Settings) -> Database:
    observer = commit_observer if settings.metrics is not None else None
    return Database(settings.database_url, settings.write_timeout, wal_limit=settings.wal_limit, on_commit=observer)


def _lifespan(
    database: Database, background: Iterable[Background]
) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        try:
            database.create()
        except DATABASE_FAULTS as error:
            # A worker that starts while the database is unavailable responds with 503, like the others. If this stopped
            # it, Gunicorn would stop them all. A start that cannot succeed fails earlier (gunicorn.conf.py).
            logger.warning("The database cannot be used yet: %r", error)
        tasks = [asyncio.create_task(run()) for run in background]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        database.close()

    return lifespan


def __getattr__(name: str) -> Any:
    """`app.app` for Gunicorn, and `app.flask_app` for Flask's command line, made together and once."""
    if name not in ("app", "flask_app"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        settings = Settings.from_environ()
        configure(settings.log_level, settings.log_format)
        application = create_app(settings)
    except (SettingsError, ContractError) as error:
        sys.exit(f"The service cannot start. {error}")
    globals().update(app=application, flask_app=application.app)
    return globals()[name]

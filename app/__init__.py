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
from typing import Any

warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")  # Connexion's import of it
from connexion import FlaskApp

import contract
from app import specification as contracts
from app.access import Access
from app.access.commands import key_commands
<<<<<<< HEAD
from app.access.keys import ApiKeys
from app.access.secret import read_secret
from app.access.tokens import NoTokens
from app.audit import AuditLog
=======
>>>>>>> h-access
from app.commands import database_commands
from app.cors import cors
from app.dry_run import DryRun
from app.errors import ERRORS
from app.idempotency import IdempotencyKeys
from app.logs import configure
from app.pages import add_pages
from app.removal import remove_old_rows
from app.settings import Settings, SettingsError
from app.start import DATABASE_FAULTS
from contract import ContractError
from db.engine import Database
from handlers.database import EXTENSION
from handlers.owners import EXTENSION as OWNERS

logger = logging.getLogger(__name__)
SPECIFICATION = contracts.SPECIFICATION
HANDLERS = "handlers"


def create_app(settings: Settings) -> FlaskApp:
    """Return the application. Opens no database: that happens when a server starts it. Raise `ContractError`."""
    database = Database(settings.database_url, settings.write_timeout)
    keys = IdempotencyKeys(database, timedelta(hours=settings.idempotency_hours))
<<<<<<< HEAD
    is_secured = settings.access == "secured"
    audit_log = AuditLog(database, timedelta(days=settings.audit_days))
    api_keys = ApiKeys(database, partial(read_secret, settings.keys_secret_file), Attempts())
    removal = partial(remove_old_rows, database, [keys, *([audit_log] if is_secured else [])])
    lifespan = _lifespan(database, [removal, *([api_keys.note_uses] if is_secured else [])])
    application = FlaskApp(__name__, lifespan=lifespan, server_args={"static_folder": None})
    application.app.extensions[EXTENSION] = database
    if is_secured:
        application.app.extensions[OWNERS] = True
    specification = contracts.load(secured=is_secured)
=======
    access = Access(settings, database)
    lifespan = _lifespan(database, [keys.remove_old_responses, *access.background])
    application = FlaskApp(__name__, lifespan=lifespan, server_args={"static_folder": None})
    application.app.extensions[EXTENSION] = database
    specification = contracts.load(secured=access.is_secured)
>>>>>>> h-access
    application.app.cli.add_command(database_commands(settings.database_url))
    application.app.cli.add_command(key_commands(settings))
    add_pages(application.app, contracts.source(specification, secured=access.is_secured), specification)
    contract.install(
        application,
        specification,
        HANDLERS,
        errors=ERRORS,
        run=database.run_read,
        run_unsafe=database.run,
        enforce=settings.validate_responses == "enforce",
<<<<<<< HEAD
        capabilities=[DryRun(database), keys, *([audit_log] if is_secured else [])],
        verifiers={"ApiKey": api_keys, "BearerToken": NoTokens()} if is_secured else {},
=======
        capabilities=[DryRun(database), keys],
        verifiers=access.verifiers,
        outside=cors(settings.cors_origins, specification),
>>>>>>> h-access
    )
    return application


def _lifespan(
    database: Database, background: Iterable[Callable[[], Coroutine[Any, Any, None]]]
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

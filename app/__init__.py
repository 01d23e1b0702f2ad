"""The composition root: puts contract, handlers and database together.

`gunicorn app:app` serves the application of this environment's settings. It is made when it is first asked for, so
that importing this package does nothing.
"""

import logging
import sys
import warnings
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import yaml

warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")  # Connexion's import of it
from connexion import FlaskApp
from connexion.middleware import ConnexionMiddleware
from connexion.middleware.exceptions import ExceptionMiddleware
from connexion.middleware.response_validation import ResponseValidationMiddleware
from connexion.middleware.routing import RoutingMiddleware
from connexion.middleware.server_error import ServerErrorMiddleware
from connexion.middleware.swagger_ui import SwaggerUIMiddleware
from flask import Flask
from starlette.types import ASGIApp

from app.errors import ERRORS
from app.logs import configure
from app.pages import add_pages
from app.settings import ROOT, Settings, SettingsError
from app.specfile import SafeLoader
from contract import documents
from contract import handlers as contract_handlers
from contract.answers import StrictAnswers
from contract.compiled import CompiledContract
from contract.context import handler_context
from contract.gateway import Gateway
from contract.handlers import ContractError, TagResolver
from contract.stock import FLASK_CONVERTERS, VALIDATORS, BareResponse, LenientRouting, StrictOperation
from db.engine import Database
from db.errors import DatabaseError
from handlers.database import EXTENSION

logger = logging.getLogger(__name__)
SPECIFICATION = ROOT / "openapi" / "items.yaml"
HANDLERS = "handlers"


def create_app(settings: Settings) -> FlaskApp:
    """The application. Opens no database yet: that happens when a server starts it. Raises `ContractError`."""
    source = SPECIFICATION.read_bytes()
    specification = yaml.load(source, Loader=SafeLoader)  # noqa: S506 -- it is a safe one
    database = Database(settings.database_url)

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        try:
            database.create()
        except (DatabaseError, OSError) as error:
            # A worker that comes up while the database is away answers 503 like the others. Were this to stop it,
            # Gunicorn would stop them all; a start that cannot succeed is ended before (gunicorn.conf.py).
            logger.warning("The database cannot be used yet: %r", error)
        yield
        database.close()

    middlewares = _middlewares()
    application = FlaskApp(__name__, lifespan=lifespan, middlewares=middlewares, server_args={"static_folder": None})
    flask_app = application.app
    if settings.pipeline == "compiled":
        middlewares.insert(0, _compiled(settings, flask_app, database))
    flask_app.url_map.merge_slashes = False
    flask_app.url_map.redirect_defaults = False  # that redirect would name the Host that the client names
    flask_app.url_map.converters.update(FLASK_CONVERTERS)
    flask_app.response_class = BareResponse
    flask_app.extensions[EXTENSION] = database
    add_pages(flask_app, source, specification)
    application.add_api(
        specification,
        jsonifier=documents,
        resolver=TagResolver(HANDLERS),
        strict_validation=True,
        validate_responses=settings.validate_responses == "enforce",
        validator_map=VALIDATORS,
    )
    loaded = application.middleware.apis[0].specification
    loaded.operation_cls = StrictOperation
    contract_handlers.check(loaded, HANDLERS)
    return application


def _compiled(settings: Settings, flask_app: Flask, database: Database) -> Callable[[ASGIApp], CompiledContract]:
    """SQLite answers sooner than a thread could be asked; a database on the network is waited for on threads."""
    executor = None if database.is_sqlite else ThreadPoolExecutor(database.connections, "handler")
    return lambda app: CompiledContract(
        app,
        application_context=handler_context(flask_app),
        errors=ERRORS,
        executor=executor,
        enforce=settings.validate_responses == "enforce",
    )


def _middlewares() -> list[Any]:
    """Connexion's stack: its errors and its Swagger UI are replaced by the gateway and by `app.pages`."""
    replaced: dict[Any, list[Any]] = {
        ServerErrorMiddleware: [lambda app: Gateway(app, ERRORS)],
        ExceptionMiddleware: [],
        SwaggerUIMiddleware: [],
        RoutingMiddleware: [LenientRouting],
        ResponseValidationMiddleware: [StrictAnswers],
    }
    return [new for old in ConnexionMiddleware.default_middlewares for new in replaced.get(old, [old])]


def __getattr__(name: str) -> Any:
    """`app.app` for Gunicorn, and `app.flask_app` for Flask's command line, made together and once."""
    if name not in ("app", "flask_app"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        settings = Settings.from_environ()
        configure(settings.log_level)
        application = create_app(settings)
    except (SettingsError, ContractError) as error:
        sys.exit(f"The service cannot start. {error}")
    globals().update(app=application, flask_app=application.app)
    return globals()[name]

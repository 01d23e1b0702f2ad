"""Nothing is skipped silently: what would not run for compiled operations stops the start, with the supported way."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NoReturn

import flask
from connexion import FlaskApp

from contract import connexion_internals, flask_internals
from contract.diagnostics import ContractError, Fault

AROUND = "pass around=[...] to contract.install()"
ERRORS = "pass errors={...} to contract.install()"
_HOOKS = {
    "before_request_funcs": "before_request",
    "after_request_funcs": "after_request",
    "teardown_request_funcs": "teardown_request",
    "url_value_preprocessors": "url_value_preprocessor",
}
_SIGNALS = ("request_started", "request_finished", "request_tearing_down", "got_request_exception")
_OPTIONS = {
    "jsonifier": "return what JSON has, or an encoded response",
    "validator_map": "describe it in the contract, or leave the operation to Connexion with x-pipeline: connexion",
    "uri_parser_class": "describe it in the contract, or leave the operation to Connexion with x-pipeline: connexion",
}
_AFTER_INSTALL = {
    "add_middleware": AROUND,
    "add_wsgi_middleware": AROUND,
    "add_error_handler": ERRORS,
    "add_api": "put all operations into one contract",
}


def check(application: FlaskApp) -> None:
    """Raise `ContractError` that lists everything in the application that compiled operations would not run."""
    _stop([*_connexion_faults(application), *_flask_faults(application)])


def check_flask(application: FlaskApp) -> None:
    """Check the Flask application alone, once more: it can be changed after the contract is installed."""
    _stop(list(_flask_faults(application)))


def refuse_additions(application: FlaskApp) -> None:
    """Make the application refuse what is added to it after the contract is installed."""
    for name, advice in _AFTER_INSTALL.items():
        setattr(application, name, partial(_refuse, name, advice))


def _stop(faults: list[str]) -> None:
    if faults:
        raise ContractError("This would not run for the operations of the contract:", map(Fault, faults))


def _refuse(name: str, advice: str, *_args: Any, **_kwargs: Any) -> NoReturn:
    raise ContractError(f"{name}() has no effect on the operations of the contract: {advice}")


def _connexion_faults(application: FlaskApp) -> Iterator[str]:
    for name in connexion_internals.extra_middlewares(application):
        yield f"the middleware {name}: {AROUND}"
    for _, handler in application.middleware.error_handlers:
        yield f"the error handler {_name(handler)}: {ERRORS}"
    for option in connexion_internals.options_in_use(application, tuple(_OPTIONS)):
        yield f"the option {option}: {_OPTIONS[option]}"
    if application.middleware.apis:
        yield "an API that was added before: put all operations into one contract"


def _flask_faults(application: FlaskApp) -> Iterator[str]:
    flask_app = application.app
    for attribute, hook in _HOOKS.items():
        for function in getattr(flask_app, attribute).get(None, ()):
            yield f"the Flask hook {hook} ({_name(function)}): {AROUND}"
    for name in _SIGNALS:
        if getattr(flask, name).has_receivers_for(flask_app):
            yield f"a receiver of the Flask signal {name}: {AROUND}"
    for handler in flask_internals.error_handlers(flask_app):
        if handler not in (connexion_internals.http_error_handler(application), flask_internals.raise_again):
            yield f"the Flask error handler {_name(handler)}: {ERRORS}"
    if "wsgi_app" in vars(flask_app) or not flask_internals.is_own_wsgi_app(
        flask_app, connexion_internals.wsgi_app(application)
    ):
        yield f"a WSGI wrapper: {AROUND}"
    if type(flask_app.json) is not connexion_internals.FlaskJSONProvider:
        yield f"the JSON provider {type(flask_app.json).__name__}: {_OPTIONS['jsonifier']}"


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", function))

"""Nothing is skipped silently: what would not run for compiled operations stops the start, with the supported way."""

from collections.abc import Callable
from typing import Any

import flask
import pytest
from connexion import ConnexionMiddleware, FlaskApp
from connexion.frameworks.starlette import FloatConverter, IntegerConverter
from connexion.jsonifier import Jsonifier
from flask.json.provider import DefaultJSONProvider
from starlette.convertors import CONVERTOR_TYPES

import contract
from contract import ContractError
from tests.contract.conftest import document
from tests.support import ContractClient

CONTRACT = """
paths:
  /x:
    get: {tags: [things], operationId: get_x, responses: {"200": {description: X., content: {application/json: {}}}}}
"""
SOURCE = "def get_x(): return {}"


def _nothing(*_arguments: Any, **_options: Any) -> Any:
    """Do nothing."""


class _Wrapper:
    def __init__(self, app: Any) -> None:
        self.app = app


class _Provider(DefaultJSONProvider):
    """Another JSON provider."""


def _signal(application: FlaskApp) -> None:
    flask.request_started.connect(_nothing, sender=application.app, weak=False)


def _wrap(application: FlaskApp) -> None:
    application.app.wsgi_app = _Wrapper(application.app.wsgi_app)


def _provide(application: FlaskApp) -> None:
    application.app.json = _Provider(application.app)


FLASK: dict[str, tuple[Callable[[FlaskApp], Any], str]] = {
    "before": (lambda a: a.app.before_request(_nothing), "the Flask hook before_request (_nothing): pass around=[...]"),
    "after": (lambda a: a.app.after_request(_nothing), "the Flask hook after_request (_nothing): pass around=[...]"),
    "teardown": (
        lambda a: a.app.teardown_request(_nothing),
        "the Flask hook teardown_request (_nothing): pass around=[...]",
    ),
    "preprocessor": (
        lambda a: a.app.url_value_preprocessor(_nothing),
        "the Flask hook url_value_preprocessor (_nothing): pass around=[...]",
    ),
    "signal": (_signal, "a receiver of the Flask signal request_started: pass around=[...]"),
    "error handler": (
        lambda a: a.app.register_error_handler(LookupError, _nothing),
        "the Flask error handler _nothing: pass errors={...}",
    ),
    "status handler": (
        lambda a: a.app.register_error_handler(404, _nothing),
        "the Flask error handler _nothing: pass errors={...}",
    ),
    "wsgi_app": (_wrap, "a WSGI wrapper: pass around=[...]"),
    "json": (_provide, "the JSON provider _Provider: "),
}
CONNEXION: dict[str, tuple[Callable[[FlaskApp], Any], str]] = {
    "middleware": (lambda a: a.add_middleware(_Wrapper), "the middleware _Wrapper: pass around=[...]"),
    "wsgi middleware": (lambda a: a.add_wsgi_middleware(_Wrapper), "a WSGI wrapper: pass around=[...]"),
    "error handler": (
        lambda a: a.add_error_handler(LookupError, _nothing),
        "the error handler _nothing: pass errors={...}",
    ),
    "api": (lambda a: a.add_api(document(CONTRACT)), "an API that was added before: "),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "jsonifier": {"jsonifier": Jsonifier()},
    "validator_map": {"validator_map": {}},
    "uri_parser_class": {"uri_parser_class": object},
    "middlewares": {"middlewares": [*ConnexionMiddleware.default_middlewares, _Wrapper]},
}


def _application(**options: Any) -> FlaskApp:
    return FlaskApp(__name__, server_args={"static_folder": None}, **options)


@pytest.mark.parametrize("name", [*FLASK, *(f"Connexion's {name}" for name in CONNEXION)])
def test_what_would_not_run_stops_the_installation(handlers: Callable[[str], str], name: str) -> None:
    """With one line that says what, and what to do."""
    add, line = FLASK[name] if name in FLASK else CONNEXION[name.removeprefix("Connexion's ")]
    application = _application()
    add(application)
    with pytest.raises(ContractError) as caught:
        contract.install(application, document(CONTRACT), handlers(SOURCE))
    title, *lines = str(caught.value).splitlines()
    assert title == "This would not run for the operations of the contract:"
    assert len(lines) == 1
    assert lines[0].startswith(f"  - {line}")


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_that_would_have_no_effect_stops_the_installation(handlers: Callable[[str], str], name: str) -> None:
    """Those of Connexion that the compiled pipeline does not have."""
    with pytest.raises(ContractError, match=name if name != "middlewares" else "the middleware _Wrapper"):
        contract.install(_application(**OPTIONS[name]), document(CONTRACT), handlers(SOURCE))


def test_everything_is_listed_at_once(handlers: Callable[[str], str]) -> None:
    """One start is enough to find it all."""
    application = _application()
    application.app.before_request(_nothing)
    application.add_middleware(_Wrapper)
    with pytest.raises(ContractError) as caught:
        contract.install(application, document(CONTRACT), handlers(SOURCE))
    assert str(caught.value).count("\n  - ") == 2


@pytest.mark.parametrize("name", FLASK)
def test_what_is_added_to_flask_afterwards_stops_the_start(handlers: Callable[[str], str], name: str) -> None:
    """When the server starts the application."""
    application = _application()
    contract.install(application, document(CONTRACT), handlers(SOURCE))
    FLASK[name][0](application)
    with pytest.raises(ContractError, match="This would not run"), ContractClient(application):
        pass


@pytest.mark.parametrize("name", CONNEXION)
def test_what_is_added_to_connexion_afterwards_is_refused(handlers: Callable[[str], str], name: str) -> None:
    """Where it is added."""
    application = _application()
    contract.install(application, document(CONTRACT), handlers(SOURCE))
    with pytest.raises(ContractError, match="has no effect on the operations of the contract"):
        CONNEXION[name][0](application)


def test_what_has_an_effect_is_no_obstacle(handlers: Callable[[str], str]) -> None:
    """Routes, blueprints with hooks of their own, teardown functions of the application context, extensions."""
    application = _application()
    blueprint = flask.Blueprint("pages", __name__)
    blueprint.before_request(_nothing)
    blueprint.get("/page")(lambda: "page")
    application.app.register_blueprint(blueprint)
    application.app.teardown_appcontext(_nothing)
    contract.install(application, document(CONTRACT), handlers(SOURCE))
    application.app.get("/later")(lambda: "later")
    with ContractClient(application) as client:
        assert [client.get(path).status_code for path in ("/x", "/page", "/later")] == [200, 200, 200]


def test_the_middlewares_are_built_before_the_server_forks(handlers: Callable[[str], str]) -> None:
    """Connexion would build them in each worker, at its first request."""
    application = _application()
    contract.install(application, document(CONTRACT), handlers(SOURCE))
    assert application.middleware.middleware_stack is not None


def test_starlettes_convertors_stay_as_connexion_has_them(handlers: Callable[[str], str]) -> None:
    """They are global: other applications of the process use them."""
    before = dict(CONVERTOR_TYPES)
    application = _application()
    contract.install(application, document(CONTRACT), handlers(SOURCE))
    kinds = {name: type(convertor) for name, convertor in CONVERTOR_TYPES.items()}
    plain = {"int": IntegerConverter, "float": FloatConverter}
    assert kinds == {name: type(convertor) for name, convertor in before.items()} | plain

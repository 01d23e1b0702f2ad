"""Everything of Flask that its documentation does not promise. Flask is pinned exactly for this module's sake.

`tests/contract/test_internals.py` says what has changed when a new version breaks it.
"""

from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, NoReturn, Self, cast

from flask import Flask, appcontext_popped, appcontext_pushed, appcontext_tearing_down, current_app
from flask.ctx import AppContext
from flask.globals import _cv_app
from werkzeug.exceptions import HTTPException


class HandlerContext(AppContext):
    """Flask's application context, at less than half the cost while no signal receivers are connected.

    Signals are sent and teardown functions are called as usual when there are any. `url_adapter` is the same for all
    contexts of an application: there is no request that it could depend on.
    """

    def __init__(self, app: Flask, url_adapter: Any) -> None:
        self.app = app
        self.url_adapter = url_adapter
        self.g = app.app_ctx_globals_class()
        self._cv_tokens = []

    def __enter__(self) -> Self:
        """Bind the context."""
        if appcontext_pushed.receivers:
            self.push()
        else:
            self._cv_tokens.append(_cv_app.set(self))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Unbind it."""
        if self.app.teardown_appcontext_funcs or appcontext_tearing_down.receivers or appcontext_popped.receivers:
            self.pop(error)
        else:
            _cv_app.reset(self._cv_tokens.pop())


def handler_context(flask_app: Flask) -> Callable[[], HandlerContext]:
    """Return what makes a new context for each request, as `flask_app.app_context` does."""
    return partial(HandlerContext, flask_app, flask_app.create_url_adapter(None))


def application() -> Flask:
    """Return the application that serves the present request, as `flask.current_app` does, at a tenth of the cost."""
    try:
        return _cv_app.get().app
    except LookupError:
        return cast("Flask", current_app._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001 -- raises Flask's own explanation


def error_handlers(flask_app: Flask) -> Iterator[Callable[..., Any]]:
    """Yield the error handlers of the whole application; those of a blueprint concern its own routes alone."""
    for by_class in flask_app.error_handler_spec.get(None, {}).values():
        yield from by_class.values()


def prepare(flask_app: Flask) -> None:
    """Let Flask's own refusals (404, 405) reach the contract's exceptions as they are, and take paths literally.

    A slash too many leads nowhere, and no redirect contains the Host that the client names.
    """
    flask_app.url_map.merge_slashes = False
    flask_app.url_map.redirect_defaults = False
    flask_app.register_error_handler(HTTPException, raise_again)


def raise_again(error: HTTPException) -> NoReturn:
    """Raise the error. Flask passes it on: Connexion tells it to propagate exceptions."""
    raise error


def is_own_wsgi_app(flask_app: Flask, wsgi_app: Any) -> bool:
    """Return whether a WSGI application is Flask's own, with nothing around it."""
    return getattr(wsgi_app, "__func__", None) is Flask.wsgi_app and getattr(wsgi_app, "__self__", None) is flask_app

"""The context of compiled handlers: Flask's own in all that can be seen of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from flask import Flask, appcontext_popped, appcontext_pushed, appcontext_tearing_down, current_app, g, has_app_context
from flask.ctx import AppContext

from contract.flask_internals import handler_context

Make = Callable[[], AppContext]


@pytest.fixture
def flask_app() -> Flask:
    """An application of its own."""
    return Flask(__name__)


@pytest.fixture(params=["flask", "contract"])
def context(request: pytest.FixtureRequest, flask_app: Flask) -> Make:
    """Each test runs with Flask's context, too: what it says is what Flask does."""
    return flask_app.app_context if request.param == "flask" else handler_context(flask_app)


@pytest.fixture
def told(flask_app: Flask) -> Iterator[list[str]]:
    """The names of the signals that were sent."""
    names: list[str] = []
    with ExitStack() as stack:
        for signal in (appcontext_pushed, appcontext_tearing_down, appcontext_popped):
            receiver = _note(names, signal.name)
            stack.enter_context(signal.connected_to(receiver, sender=flask_app))
        yield names


def _note(names: list[str], name: str) -> Callable[..., None]:
    return lambda *_args, **_kwargs: names.append(name)


def test_current_app_and_g_are_there_and_then_not(context: Make, flask_app: Flask) -> None:
    """`g` is a new one each time."""
    for _ in range(2):
        with context():
            assert current_app._get_current_object() is flask_app  # type: ignore[attr-defined]
            assert "seen" not in g
            g.seen = True
        assert not has_app_context()


def test_contexts_nest(context: Make, flask_app: Flask) -> None:
    """The inner one ends first; the outer one is there again."""
    with context():
        g.place = "outer"
        with flask_app.app_context():
            g.place = "inner"
        assert g.place == "outer"


def test_signals_are_sent_in_their_order(context: Make, told: list[str]) -> None:
    """To whoever has connected by then."""
    with context():
        assert told == ["appcontext-pushed"]
    assert told == ["appcontext-pushed", "appcontext-tearing-down", "appcontext-popped"]


def test_teardown_functions_are_called_with_the_exception(context: Make, flask_app: Flask) -> None:
    """Or with None."""
    given: list[BaseException | None] = []
    flask_app.teardown_appcontext(given.append)
    with context():
        pass
    error = LookupError("in the handler")
    with pytest.raises(LookupError), context():
        raise error
    assert given == [None, error]
    assert not has_app_context()


def test_an_exception_ends_the_context(context: Make) -> None:
    """And goes on."""
    with pytest.raises(LookupError), context():
        raise LookupError
    assert not has_app_context()

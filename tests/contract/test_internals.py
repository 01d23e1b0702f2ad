"""What Connexion, Flask and Gunicorn do not promise is there, and these libraries are pinned exactly.

If this fails after an update, read the module that it names and adapt it to the new version.
"""

import ast
import tomllib
from pathlib import Path

import pytest

from app.settings import ROOT

MODULES = {
    "connexion": "contract/connexion_internals.py",
    "flask": "contract/flask_internals.py",
    "gunicorn": "app/worker.py",
}
SOURCES = [path for room in ("app", "contract", "handlers", "db") for path in (ROOT / room).rglob("*.py")]


def _private_imports(path: Path) -> set[str]:
    """The libraries whose private names a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [*node.module.split("."), *(alias.name for alias in node.names)]
            if any(name.startswith("_") and not name.startswith("__") for name in names):
                found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_private_names_are_imported_in_one_module_for_each_library(path: Path) -> None:
    """So that a new version concerns one module."""
    allowed = {library for library, module in MODULES.items() if path == ROOT / module}
    own = {"app", "contract", "handlers", "db"}
    assert _private_imports(path) - own <= allowed


@pytest.mark.parametrize("library", MODULES)
def test_a_library_whose_private_names_are_used_is_pinned_exactly(library: str) -> None:
    """In pyproject.toml."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    (requirement,) = (
        line for line in declared if line.partition("[")[0].partition("=")[0].partition("~")[0] == library
    )
    assert "==" in requirement, f"{library} must be pinned exactly: {MODULES[library]} uses its private names"


def test_connexion_has_what_is_used() -> None:
    """Each name, with where it is used."""
    from connexion import FlaskApp, context
    from connexion.middleware import ConnexionMiddleware
    from connexion.middleware.security import SecurityOperation

    module = MODULES["connexion"]
    for name in ("_context", "_operation", "_receive", "_scope"):
        assert hasattr(context, name), f"connexion.context.{name} is gone: adapt {module}"
    assert hasattr(ConnexionMiddleware, "_build_middleware_stack"), f"the stack is built otherwise: adapt {module}"
    assert hasattr(FlaskApp, "_http_exception"), f"HTTP exceptions are handled otherwise: adapt {module}"
    assert hasattr(SecurityOperation, "from_operation"), f"security is built otherwise: adapt {module}"
    application = FlaskApp(__name__)
    assert hasattr(application._middleware_app, "asgi_app"), f"Flask is wrapped otherwise: adapt {module}"
    assert hasattr(application.middleware, "options"), f"options are kept otherwise: adapt {module}"


def test_flask_has_what_is_used() -> None:
    """Each name, with where it is used."""
    from flask import Flask
    from flask import globals as flask_globals
    from flask.ctx import AppContext

    module = MODULES["flask"]
    assert hasattr(flask_globals, "_cv_app"), f"the application context is bound otherwise: adapt {module}"
    assert hasattr(AppContext(Flask(__name__)), "_cv_tokens"), f"contexts are kept otherwise: adapt {module}"
    assert None in Flask(__name__).error_handler_spec or not Flask(__name__).error_handler_spec, module

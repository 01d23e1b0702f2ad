"""Small contracts of a test's own, with handlers written beside them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest
import yaml

pytest.register_assert_rewrite("tests.contract.specs.application")
from tests.contract.specs.application import build  # noqa: E402  # after the line that makes its assertions speak
from tests.support import ContractClient  # noqa: E402

HEAD: dict[str, Any] = {"openapi": "3.0.3", "info": {"title": "Inline", "version": "1"}}
_NUMBERS = count()

Serve = Callable[..., ContractClient]


def document(text: str) -> dict[str, Any]:
    """A contract out of its paths and components in YAML."""
    paths: dict[str, Any] = yaml.safe_load(dedent(text))
    return HEAD | paths


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Makes a package of handlers with one module, `things`, out of its source; returns the package's name."""

    def make(source: str) -> str:
        name = f"inline_handlers_{next(_NUMBERS)}"
        package, module = ModuleType(name), ModuleType(f"{name}.things")
        package.__path__ = []
        monkeypatch.setitem(sys.modules, name, package)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(dedent(source), vars(module))  # noqa: S102  # the sources stand in the tests
        return name

    return make


@pytest.fixture
def serve(handlers: Callable[[str], str]) -> Iterator[Serve]:
    """Serves a contract in YAML with handlers in Python; the options are those of `contract.install()`."""
    with ExitStack() as stack:

        def start(text: str, source: str, **options: Any) -> ContractClient:
            return stack.enter_context(ContractClient(build(document(text), handlers(source), **options)))

        yield start

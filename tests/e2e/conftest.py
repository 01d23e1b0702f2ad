"""Fixtures for several test files: a browser, and the service on this machine and in containers."""

import fcntl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import chromium
from tests.e2e.stack import VAR, Running, Show, composed, edge, service


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Show:
    """Print a figure that a test has measured. pytest-xdist passes on standard error only."""

    def print_now(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", file=sys.stderr, flush=True)

    return print_now


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """A new Chromium."""
    with chromium(tmp_path) as driver:
        yield driver


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The service for all tests of a module, which do not need an empty database. It trusts proxies on this machine."""
    with service(tmp_path_factory.mktemp("app")) as running:
        yield running


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The service and nginx on this machine; the value is nginx's port."""
    folder = tmp_path_factory.mktemp("host")
    with service(folder) as app, edge(folder / "edge", app.port) as nginx:
        yield nginx.port


@pytest.fixture(scope="module")
def containers() -> Iterator[int]:
    """The service and nginx in containers; the value is the published port."""
    with composed() as stack:
        yield stack.port


@pytest.fixture(scope="module")
def sdk_alone() -> Iterator[None]:
    """The generated clients for one module at a time, because a test generates them again."""
    VAR.mkdir(parents=True, exist_ok=True)
    with (VAR / "sdk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(params=["host", "containers"])
def port(request: pytest.FixtureRequest) -> int:
    """The port to browse: on this machine, and then in containers."""
    return int(request.getfixturevalue(request.param))

"""What every test in process shares: an application of its own, on a database of its own."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from connexion import FlaskApp

from app import create_app
from app.settings import Settings
from db.engine import Database
from handlers.database import EXTENSION

# No test depends on the speed of the machine.
hypothesis.settings.register_profile("any-machine", deadline=None)
hypothesis.settings.load_profile("any-machine")
pytest.register_assert_rewrite("tests.support")
from tests.support import ContractClient  # noqa: E402  # after the line that makes its assertions speak


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a database file that nothing else uses and that does not exist yet."""
    return Settings.from_environ({"DATABASE_URL": f"sqlite:///{tmp_path}/items.db"})


@pytest.fixture
def application(settings: Settings) -> FlaskApp:
    """The application, not started: its database has not been opened."""
    return create_app(settings)


@pytest.fixture
def client(application: FlaskApp) -> Iterator[ContractClient]:
    """A client of the started application."""
    with ContractClient(application) as started:
        yield started


@pytest.fixture
def database(application: FlaskApp) -> Database:
    """The application's own database: connections that a test opens come out of the same pool."""
    database = application.app.extensions[EXTENSION]
    assert isinstance(database, Database)
    return database

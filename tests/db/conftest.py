"""A database without an application."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from db.engine import Database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of the database."""
    return tmp_path / "items.db"


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A new database with its tables."""
    created = Database(settings.database_url)
    created.create()
    yield created
    created.close()

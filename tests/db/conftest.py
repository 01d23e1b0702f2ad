"""A database without an application around it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from db.engine import Database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "items.db"


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A created database."""
    created = Database(settings.database_url)
    created.create()
    yield created
    created.close()

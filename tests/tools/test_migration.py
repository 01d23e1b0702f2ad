"""`make migration`: the migration from the tables that the migrations make to those of the code."""

from pathlib import Path

import pytest
from sqlalchemy import CheckConstraint, Column, Index, MetaData, create_engine

from app.settings import ROOT, Settings
from db import columns, revisions, schema
from db.comparison import copied, differences
from db.engine import Database
from db.items import ITEMS
from db.migrate import migrate
from db.schema import metadata
from tests.schema import History
from tests.schema import schema as described
from tools.migration import VERSIONS, main, next_file

BEFORE = revisions.newest()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the migrations only."""
    (tmp_path / "db").mkdir()
    monkeypatch.setattr(revisions, "MIGRATIONS", History(tmp_path / "db").folder)
    return tmp_path


def _changed() -> MetaData:
    """The tables of the code with another length, another column and its index."""
    changed = copied(metadata)
    items = changed.tables["items"]
    items.c.description.type = columns.text(300)
    items.append_column(Column("colour", columns.text(20), CheckConstraint("length(colour) <= 20", "items_colour")))
    Index("items_by_colour", items.c.colour, items.c.id)
    return changed


def test_there_may_be_nothing_to_write(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The migrations make the tables of the code."""
    assert main(["nothing"], folder) == 1
    assert capsys.readouterr().err.startswith("Nothing was written: ")
    assert next_file(folder, "x") == next_file(ROOT, "x")


def test_a_name_is_part_of_a_file_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has small letters, digits and underscores."""
    assert main(["../colour"], folder) == 1
    assert "must have small letters" in capsys.readouterr().err


def test_what_it_writes_makes_the_tables_of_the_code(
    folder: Path,
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With rows in them: a new column with its constraint and its index, and another type; down again, too."""
    database.create()
    with database.write() as connection:
        added = ITEMS.add(connection, {"name": "Größe", "description": "x" * 200})
    changed = _changed()
    monkeypatch.setattr(schema, "metadata", changed)
    monkeypatch.setattr("db.comparison.metadata", changed)
    assert main(["add_colour"], folder) == 0
    file = next_file(ROOT, "add_colour")
    assert file.startswith(VERSIONS)
    assert capsys.readouterr().out == f"Read {file}, then run: make test\n"
    database.create()
    engine = create_engine("sqlite://")
    with engine.begin() as expected, database.read() as connection:
        assert differences(connection) == []
        changed.create_all(expected)
        assert described(connection) == described(expected)
        assert ITEMS.find(connection, 1) == added
    engine.dispose()
    monkeypatch.setattr("db.comparison.metadata", metadata)
    migrate(settings.database_url, BEFORE)
    with database.read() as connection:
        assert differences(connection) == []
        assert ITEMS.find(connection, 1) == added


def test_a_condition_must_be_written_by_hand(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alembic compares constraints by their names."""
    changed = copied(metadata)
    description = changed.tables["items"].c.description
    description.constraints.clear()
    changed.tables["items"].append_constraint(CheckConstraint("length(description) <= 9", "items_description_length"))
    monkeypatch.setattr(schema, "metadata", changed)
    monkeypatch.setattr("db.comparison.metadata", changed)
    assert main(["shorter"], folder) == 1
    assert "\n  modify_constraint items.items_description_length\nNothing was written" in capsys.readouterr().err

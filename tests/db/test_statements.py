"""The statements: each page is a walk along an index, and the table refuses what the contract refuses."""

from typing import Any

import pytest
from sqlalchemy import Dialect, Select, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from db import items, schema
from db.engine import Database
from db.items import MAX_ID, Position

SQLITE: Dialect = sqlite.dialect()
POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
TIME = "2026-11-23T09:30:00.000000Z"
ROW = {"version": 1, "name": "x", "description": None, "created_at": TIME, "updated_at": TIME}
PAGES = {
    f"{sort}{', filtered' * filtered}{', positioned' * positioned}": (sort, filtered, positioned)
    for sort, filtered, positioned in items._PAGES
}
UNFILTERED = {name: key for name, key in PAGES.items() if not key[1]}
INDEXES = {"name": "items_by_name", "created_at": "items_by_created_at", "updated_at": "items_by_updated_at"}


def _plan(database: Database, statement: Select[Any]) -> list[str]:
    compiled = statement.compile(dialect=SQLITE)
    parameters = compiled.construct_params({"limit": 51, "name": "x", "after_key": "x", "after_id": 7})
    values = tuple(parameters[name] for name in compiled.positiontup or ())
    with database.read() as connection:
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values)]


def test_every_order_has_its_statements() -> None:
    """Each column both ways, filtered or not, from the beginning or not."""
    assert len(PAGES) == 2 * 2 * 2 * len(items.SORT_COLUMNS)


@pytest.mark.parametrize("name", UNFILTERED)
def test_a_page_is_read_along_an_index_and_not_sorted(database: Database, name: str) -> None:
    """Page 1,000,000 costs what page 1 costs: the index is entered at the place, and nothing is sorted."""
    sort, filtered, positioned = UNFILTERED[name]
    (step,) = _plan(database, items._PAGES[sort, filtered, positioned])
    index = INDEXES.get(sort.removeprefix("-"))
    expected = f"USING INDEX {index}" if index else "USING INTEGER PRIMARY KEY" if positioned else "SCAN items"
    assert expected in step
    assert step.startswith("SEARCH" if positioned else "SCAN")


@pytest.mark.parametrize("name", [name for name, key in PAGES.items() if key[1]])
def test_a_filtered_page_is_found_by_an_index(database: Database, name: str) -> None:
    """Never by looking at every item."""
    plan = _plan(database, items._PAGES[PAGES[name]])
    assert plan[0].startswith("SEARCH items USING"), plan


@pytest.mark.parametrize("sort", ["id", "-id", "name", "-name"])
@pytest.mark.parametrize("positioned", [False, True])
def test_a_page_of_one_name_is_not_sorted_either(database: Database, sort: str, positioned: bool) -> None:  # noqa: FBT001
    """The index by name has the ids in order."""
    plan = _plan(database, items._PAGES[sort, True, positioned])
    assert [step for step in plan if "TEMP B-TREE" in step] == []


@pytest.mark.parametrize("name", PAGES)
def test_no_statement_has_an_offset(name: str) -> None:
    """None on PostgreSQL, and on SQLite the constant 0 that SQLAlchemy writes behind every LIMIT."""
    statement = items._PAGES[PAGES[name]]
    assert "LIMIT" in str(statement.compile(dialect=POSTGRESQL))
    assert "OFFSET" not in str(statement.compile(dialect=POSTGRESQL))
    compiled = statement.compile(dialect=SQLITE)
    unnamed = {value for name, value in compiled.params.items() if name.startswith("param_")}
    assert unnamed == {0}


@pytest.mark.parametrize(
    "members",
    [
        {"name": ""},
        {"name": "x" * 81},
        {"name": "𝔘" * 81},
        {"name": None},
        {"description": "x" * 201},
        {"created_at": "2026-11-23T09:30:00Z"},
        {"created_at": None},
        {"updated_at": TIME + "0"},
        {"updated_at": None},
        {"version": None},
        {"id": 0},
        {"id": -1},
        {"id": MAX_ID + 1},
    ],
)
def test_the_table_refuses_what_the_contract_refuses(database: Database, members: dict[str, Any]) -> None:
    """The second line, for whoever writes past the service."""
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(schema.items).values(ROW | members))


@pytest.mark.parametrize(
    "members",
    [
        {"name": "𝔘" * 80},
        {"description": "𝔘" * 200},
        {"description": ""},
        {"id": MAX_ID},
        {"id": 1},
        {"name": "\u3000x"},
    ],
)
def test_the_table_takes_what_the_contract_accepts(database: Database, members: dict[str, Any]) -> None:
    """Up to its limits."""
    with database.write() as connection:
        connection.execute(insert(schema.items).values(ROW | members))


def test_a_change_counts_the_version_and_moves_the_time(database: Database) -> None:
    """And nothing else that was not asked for."""
    with database.write() as connection:
        item = items.add(connection, "x", "y")
        changed = items.change(connection, item, {"name": "z"})
        found = items.find_for_update(connection, item.body["id"])
    assert changed == found
    assert changed.version == 2
    assert changed.body == item.body | {"name": "z", "updated_at": changed.body["updated_at"]}
    assert changed.body["updated_at"] > item.body["updated_at"]


def test_a_removed_item_is_gone(database: Database) -> None:
    """And only it."""
    with database.write() as connection:
        first, second = (items.add(connection, name, None) for name in "ab")
        items.remove(connection, first.body["id"])
        assert items.find(connection, first.body["id"]) is None
        assert items.find(connection, second.body["id"]) == second


def test_a_page_begins_behind_its_position(database: Database) -> None:
    """And has at most as many items as asked for."""
    with database.write() as connection:
        bodies = [items.add(connection, name, None).body for name in ("b", "a", "b", "c")]
        assert items.page(connection, "name", None, Position("a", 2), 2) == [bodies[0], bodies[2]]
        assert items.page(connection, "-name", None, Position("b", 3), 9) == [bodies[0], bodies[1]]
        assert items.page(connection, "id", "b", Position(1, 1), 9) == [bodies[2]]


def test_postgresql_locks_the_row_that_it_will_write() -> None:
    """SQLite has the whole database; PostgreSQL needs FOR UPDATE."""
    assert "FOR UPDATE" in str(items._FIND_FOR_UPDATE.compile(dialect=POSTGRESQL))


@pytest.mark.parametrize("column", ["name", "description", "created_at", "updated_at"])
def test_postgresql_sorts_by_code_point(column: str) -> None:
    """As SQLite does: collation C, whatever the cluster's is."""
    kind = schema.items.columns[column].type.dialect_impl(POSTGRESQL)
    assert getattr(kind, "collation", None) == "C"

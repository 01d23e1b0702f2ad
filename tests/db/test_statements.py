"""The statements: each page is a walk along an index, and the table refuses what the contract refuses."""

from itertools import product
from typing import Any

import pytest
from sqlalchemy import Column, Dialect, Select, String, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from db import schema
from db.engine import Database
from db.items import ITEMS
from db.resources import MAX_ID, Position, Statements
from tests.db.resources import STATEMENTS

SQLITE: Dialect = sqlite.dialect()
POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
TIME = "2026-11-23T09:30:00.000000Z"
ROW = {"version": 1, "name": "x", "description": None, "created_at": TIME, "updated_at": TIME}
PAGES = {
    f"{table} by {sort}{''.join(f', {name}' for name in filtered)}{', positioned' * positioned}": (
        statements,
        sort,
        filtered,
        positioned,
    )
    for table, statements in STATEMENTS.items()
    for sort, filtered, positioned in statements._pages
}
FORMS = [*product(PAGES, ("all", "owned"))]
UNFILTERED = [(name, form) for name, form in FORMS if not PAGES[name][2]]
each_form = pytest.mark.parametrize("form", ["all", "owned"])
each_table = pytest.mark.parametrize("statements", STATEMENTS.values(), ids=STATEMENTS.keys())


def _statement(name: str, form: str) -> Select[Any]:
    statements, sort, filtered, positioned = PAGES[name]
    statement: Select[Any] = getattr(statements._pages[sort, filtered, positioned], form).statement
    return statement


def _plan(database: Database, statement: Select[Any]) -> list[str]:
    compiled = statement.compile(dialect=SQLITE)
    values = tuple(1 if name in ("limit", "after_id") else "x" for name in compiled.positiontup or ())
    with database.read() as connection:
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values)]


@each_table
def test_every_order_has_its_statements(statements: Statements) -> None:
    """Each column both ways, with every set of filters, from the beginning or not."""
    sets = {filtered for _, filtered, _ in statements._pages}
    assert len(statements._pages) == 2 * 2 * len(statements.sort) * len(sets)


def test_items_can_be_filtered_by_name() -> None:
    """Or not."""
    assert {filtered for _, filtered, _ in ITEMS._pages} == {(), ("name",)}


@pytest.mark.parametrize(("name", "form"), UNFILTERED)
def test_a_page_is_read_along_an_index_and_not_sorted(database: Database, name: str, form: str) -> None:
    """Page 1,000,000 costs what page 1 costs: the scan starts in the index, at the position, and nothing is sorted.

    The rows of one owner are beside each other in an index of their own.
    """
    statements, sort, _, positioned = PAGES[name]
    (step,) = _plan(database, _statement(name, form))
    table, order = statements.table, [*dict.fromkeys([sort.removeprefix("-"), "id"])]
    columns = ["owner", *order] if form == "owned" else order
    index = next((str(index.name) for index in table.indexes if index.columns.keys() == columns), "")
    primary = "USING INTEGER PRIMARY KEY" if positioned else f"SCAN {table.name}"
    assert (f"USING INDEX {index} " if index else primary) in f"{step} "
    assert step.startswith("SEARCH" if positioned or form == "owned" else "SCAN")


@pytest.mark.parametrize(("name", "form"), [(name, form) for name, form in FORMS if PAGES[name][2]])
def test_a_filtered_page_is_found_by_an_index(database: Database, name: str, form: str) -> None:
    """Never by looking at every row."""
    plan = _plan(database, _statement(name, form))
    assert plan[0].startswith(f"SEARCH {PAGES[name][0].table.name} USING"), plan


@pytest.mark.parametrize("sort", ["id", "-id", "name", "-name"])
@pytest.mark.parametrize("positioned", [False, True])
@each_form
def test_a_page_of_one_name_is_not_sorted_either(database: Database, sort: str, positioned: bool, form: str) -> None:  # noqa: FBT001
    """The index by name has the ids in order."""
    plan = _plan(database, getattr(ITEMS._pages[sort, ("name",), positioned], form).statement)
    assert [step for step in plan if "TEMP B-TREE" in step] == []


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_no_statement_has_an_offset(name: str, form: str) -> None:
    """None on PostgreSQL, and on SQLite the constant 0 that SQLAlchemy writes behind every LIMIT."""
    statement = _statement(name, form)
    assert "LIMIT" in str(statement.compile(dialect=POSTGRESQL))
    assert "OFFSET" not in str(statement.compile(dialect=POSTGRESQL))
    compiled = statement.compile(dialect=SQLITE)
    unnamed = {value for name, value in compiled.params.items() if name.startswith("param_")}
    assert unnamed == {0}


@pytest.mark.parametrize(
    "properties",
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
def test_the_table_refuses_what_the_contract_refuses(database: Database, properties: dict[str, Any]) -> None:
    """The second line, for whoever writes past the service."""
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(schema.items).values(ROW | properties))


@pytest.mark.parametrize(
    "properties",
    [
        {"name": "𝔘" * 80},
        {"description": "𝔘" * 200},
        {"description": ""},
        {"id": MAX_ID},
        {"id": 1},
        {"name": "\u3000x"},
    ],
)
def test_the_table_takes_what_the_contract_accepts(database: Database, properties: dict[str, Any]) -> None:
    """Up to its limits."""
    with database.write() as connection:
        connection.execute(insert(schema.items).values(ROW | properties))


def test_a_change_counts_the_version_and_moves_the_time(database: Database) -> None:
    """And nothing else that was not asked for."""
    with database.write() as connection:
        item = ITEMS.add(connection, {"name": "x", "description": "y"})
        changed = ITEMS.change(connection, item, {"name": "z"})
        found = ITEMS.find_for_update(connection, item.body["id"])
    assert changed == found
    assert changed.version == 2
    assert changed.body == item.body | {"name": "z", "updated_at": changed.body["updated_at"]}
    assert changed.body["updated_at"] > item.body["updated_at"]


def test_a_removed_item_is_gone(database: Database) -> None:
    """And only it."""
    with database.write() as connection:
        first, second = (ITEMS.add(connection, {"name": name, "description": None}) for name in "ab")
        ITEMS.remove(connection, first.body["id"])
        assert ITEMS.find(connection, first.body["id"]) is None
        assert ITEMS.find(connection, second.body["id"]) == second


def test_the_rows_of_others_are_not_there(database: Database) -> None:
    """No statement of an owner finds or changes them, nor rows without an owner; without an owner, all are there."""
    with database.write() as connection:
        rows = [ITEMS.add(connection, {"name": "x", "description": None}, owner) for owner in ("ann", "bob", None)]
        for owner, mine in zip(("ann", "bob"), rows, strict=False):
            for row in rows:
                found = row if row is mine else None
                assert ITEMS.find(connection, row.body["id"], owner) == found
                assert ITEMS.find_for_update(connection, row.body["id"], owner) == found
            assert ITEMS.page(connection, "-name", {"name": "x"}, None, 9, owner) == [mine.body]
            assert ITEMS.page(connection, "id", {}, Position(1, 1), 9, owner) == [mine.body] * (mine is not rows[0])
        for row in rows[1:]:
            ITEMS.change(connection, row, {"name": "y"}, "ann")
            ITEMS.remove(connection, row.body["id"], "ann")
        assert ITEMS.page(connection, "id", {}, None, 9) == [row.body for row in rows]
        assert ITEMS.change(connection, rows[0], {"name": "y"}, "ann") == ITEMS.find(connection, 1, "ann")
        ITEMS.remove(connection, 1, "ann")
        assert ITEMS.find(connection, 1) is None


def test_a_page_begins_after_its_position(database: Database) -> None:
    """And has at most as many items as asked for."""
    with database.write() as connection:
        bodies = [ITEMS.add(connection, {"name": name, "description": None}).body for name in ("b", "a", "b", "c")]
        assert ITEMS.page(connection, "name", {"name": None}, Position("a", 2), 2) == [bodies[0], bodies[2]]
        assert ITEMS.page(connection, "-name", {}, Position("b", 3), 9) == [bodies[0], bodies[1]]
        assert ITEMS.page(connection, "id", {"name": "b"}, Position(1, 1), 9) == [bodies[2]]


@each_table
def test_postgresql_locks_the_row_that_will_be_written(statements: Statements) -> None:
    """SQLite locks the whole database; PostgreSQL needs FOR UPDATE."""
    for prepared in statements._find_for_update:
        assert prepared is not None
        assert "FOR UPDATE" in str(prepared.statement.compile(dialect=POSTGRESQL))


@pytest.mark.parametrize(
    "column",
    [column for table in schema.metadata.sorted_tables for column in table.columns if isinstance(column.type, String)],
    ids=str,
)
def test_postgresql_sorts_by_code_point(column: Column[Any]) -> None:
    """As SQLite does: collation C, whatever the cluster's is."""
    kind = column.type.dialect_impl(POSTGRESQL)
    assert getattr(kind, "collation", None) == "C"

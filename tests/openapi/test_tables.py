"""The spec and the tables agree: what the contract accepts, the database can hold, and no more.

A table `items` belongs to the schema `Item`, and so on for every table.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Column, Integer, String, Table, create_engine
from sqlalchemy.exc import IntegrityError

from db.resources import MAX_ID, Statements
from db.schema import metadata
from tests.db.resources import STATEMENTS
from tests.support import resolve, specification

TABLES = list(metadata.tables.values())
COLUMNS = [column for table in TABLES for column in table.columns]
UNSEEN = {"version"}
"""Columns that no member shows: the number in the ETag."""


def _members(table: Table) -> dict[str, Any]:
    name = table.name.removesuffix("s").capitalize()
    members: dict[str, Any] = specification()["components"]["schemas"][name]["properties"]
    return members


def _schema(column: Column[Any]) -> dict[str, Any]:
    schema = resolve(_members(column.table)[column.name])
    return {key: value for part in [schema, *map(resolve, schema.get("allOf", []))] for key, value in part.items()}


def _values(schema: dict[str, Any]) -> Iterator[tuple[Any, bool]]:
    """Values at the limits of a schema, and whether it has them."""
    if schema["type"] == "integer":
        least, most = schema["minimum"], schema["maximum"]
        yield from ((least, True), (least - 1, False), (most, True), (most + 1, False))
    else:
        least, most = schema.get("minLength", 0), schema["maxLength"]
        yield from (("\N{GRINNING FACE}" * most, True), ("x" * (most + 1), False), ("x" * least, True))
        if least:
            yield "x" * (least - 1), False


VALUES = [
    pytest.param(column, value, allowed, id=f"{column}-{value if isinstance(value, int) else len(value)}")
    for column in COLUMNS
    if column.name not in UNSEEN
    for value, allowed in _values(_schema(column))
]


def _row(table: Table) -> dict[str, Any]:
    return {
        column.name: 1 if column.name in UNSEEN else _schema(column)["example"]
        for column in table.columns
        if not column.primary_key
    }


def _is_held(column: Column[Any], value: Any) -> bool:
    """Whether a row with this value can be stored."""
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            metadata.create_all(connection)
            connection.execute(column.table.insert(), _row(column.table) | {column.name: value})
    except IntegrityError:
        return False
    else:
        return True
    finally:
        engine.dispose()


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_a_table_has_its_schemas_members(table: Table) -> None:
    """Nothing is stored that is not shown, but for the ETag's number, and nothing shown that is not stored."""
    assert set(table.columns.keys()) - UNSEEN == _members(table).keys()


@pytest.mark.parametrize(("column", "value", "allowed"), VALUES)
def test_a_column_holds_what_the_contract_allows_and_no_more(column: Column[Any], value: Any, allowed: bool) -> None:  # noqa: FBT001  # a column of the table
    """At its limits and one beyond: lengths in code points, and numbers."""
    assert _is_held(column, value) is allowed


@pytest.mark.parametrize("column", [column for column in COLUMNS if column.name not in UNSEEN], ids=str)
def test_what_can_be_null_agrees(column: Column[Any]) -> None:
    """Null in the contract is NULL in the table."""
    assert column.nullable == bool(_schema(column).get("nullable"))
    assert column.primary_key or _is_held(column, None) == column.nullable


@pytest.mark.parametrize("column", [column for column in COLUMNS if column.name not in UNSEEN], ids=str)
def test_types_agree(column: Column[Any]) -> None:
    """VARCHAR(n) on PostgreSQL is maxLength in the contract: both count code points."""
    schema = _schema(column)
    if schema["type"] == "string":
        assert isinstance(column.type, String)
        assert column.type.length == schema["maxLength"]
    else:
        assert (schema["type"], isinstance(column.type, Integer)) == ("integer", True)


def test_ids_have_one_range() -> None:
    """In the spec and in the code."""
    schema = _schema(items.c.id)
    assert (schema["minimum"], schema["maximum"]) == (1, MAX_ID)


def test_every_column_to_sort_by_is_in_the_spec_both_ways() -> None:
    """And none more."""
    directions = [f"{sign}{column}" for column in SORT_COLUMNS for sign in ("", "-")]
    assert specification()["components"]["schemas"]["ItemSort"]["enum"] == directions


@pytest.mark.parametrize("column", SORT_COLUMNS)
def test_every_column_to_sort_by_has_an_index_that_breaks_ties_by_id(column: str) -> None:
    """The primary key is one."""
    indexes = [[part.name for part in index.columns] for index in items.indexes]
    assert column == "id" or [column, "id"] in indexes

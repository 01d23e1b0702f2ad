"""The spec and the tables agree: the database can hold what the contract accepts, and no more.

A table belongs to the resource at the path with its name, and its columns to the properties of the resource's schema.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Boolean, Column, Float, Integer, String, Table, create_engine, event
from sqlalchemy.exc import IntegrityError

from db.columns import Strings
from db.resources import MAX_ID
from db.schema import metadata
from tests.db.resources import STATEMENTS
from tests.resources import resources
from tests.support import resolve

NOT_RESOURCES = {"api_keys", "audit_log", "idempotency_responses"}
TABLES = [table for name, table in metadata.tables.items() if name not in NOT_RESOURCES]
COLUMNS = [column for table in TABLES for column in table.columns]
UNSEEN = {"version", "owner"}
"""Columns that no property shows: the number in the ETag, and who made the row."""
TYPES = {"string": String, "integer": Integer, "number": Float, "boolean": Boolean, "array": Strings}
SORTED = [(table, name) for table, statements in STATEMENTS.items() for name in statements.sort]


def _properties(table: Table) -> dict[str, Any]:
    properties: dict[str, Any] = resources()[table.name].schemas["stored"]["properties"]
    return properties


def _schema(column: Column[Any]) -> dict[str, Any]:
    schema = resolve(_properties(column.table)[column.name])
    return {key: value for part in [schema, *map(resolve, schema.get("allOf", []))] for key, value in part.items()}


def _values(schema: dict[str, Any]) -> Iterator[tuple[Any, bool]]:
    """Values at the limits of a schema, and whether it has them."""
    if "enum" in schema:
        yield from ((value, True) for value in schema["enum"] if value is not None)
        yield "another", False
    elif schema["type"] in ("integer", "number"):
        least, most = schema["minimum"], schema["maximum"]
        yield from ((least, True), (least - 1, False), (most, True), (most + 1, False))
    elif schema["type"] == "boolean":
        yield from ((True, True), (False, True))
    elif schema["type"] == "array":
        least, most = schema.get("minItems", 0), schema["maxItems"]
        yield from ((["x"] * least, True), (["x"] * most, True), (["x"] * (most + 1), False))
    else:
        least, most = schema.get("minLength", 0), schema["maxLength"]
        yield from (("\N{GRINNING FACE}" * most, True), ("x" * (most + 1), False), ("x" * least, True))
        if least:
            yield "x" * (least - 1), False


VALUES = [
    pytest.param(column, value, allowed, id=f"{column}-{len(value) if isinstance(value, str | list) else value}")
    for column in COLUMNS
    if column.name not in UNSEEN
    for value, allowed in _values(_schema(column))
    if allowed or not column.foreign_keys  # a reference to a row that cannot exist is refused by the key
]


def _example(schema: dict[str, Any]) -> Any:
    return schema["example"] if "example" in schema else next(value for value in schema["enum"] if value is not None)


def _row(table: Table) -> dict[str, Any]:
    return {
        column.name: 1 if column.name in UNSEEN else _example(_schema(column))
        for column in table.columns
        if not column.primary_key
    }


def _is_held(column: Column[Any], value: Any) -> bool:
    """Whether a row with this value can be stored; the foreign keys are not enforced here."""
    engine = create_engine("sqlite://")
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = OFF"))
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


def test_every_table_is_a_resource_with_statements() -> None:
    """The contract, the tables and the statements name the same resources."""
    assert resources().keys() == metadata.tables.keys() - NOT_RESOURCES == STATEMENTS.keys()


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_a_table_has_its_schemas_properties(table: Table) -> None:
    """What is stored is shown, except the ETag's number, and what is shown is stored."""
    assert set(table.columns.keys()) - UNSEEN == _properties(table).keys()


@pytest.mark.parametrize(("column", "value", "allowed"), VALUES)
def test_a_column_holds_what_the_contract_allows_and_no_more(column: Column[Any], value: Any, allowed: bool) -> None:  # noqa: FBT001  # a column of the table
    """At its limits and one beyond: lengths in code points, numbers of elements, and numbers."""
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
    assert isinstance(column.type, TYPES[schema["type"]])
    if isinstance(column.type, String):
        values = [value for value in schema.get("enum", ()) if value is not None]
        assert column.type.length == (max(map(len, values)) if values else schema["maxLength"])


@pytest.mark.parametrize("column", [column for column in COLUMNS if column.name not in UNSEEN], ids=str)
def test_references_agree(column: Column[Any]) -> None:
    """`x-references` in the contract is a foreign key in the table, and has an index of its own."""
    tables = [key.column.table.name for key in column.foreign_keys]
    schema = _schema(column)
    assert tables == ([schema["x-references"]] if "x-references" in schema else [])
    indexed = [index.columns[0].name for index in column.table.indexes]
    assert not tables or column.name in indexed


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_ids_have_one_range(table: Table) -> None:
    """In the spec and in the code."""
    schema = _schema(table.c.id)
    assert (schema["minimum"], schema["maximum"]) == (1, MAX_ID)


@pytest.mark.parametrize("table", STATEMENTS)
def test_every_column_to_sort_by_is_in_the_spec_both_ways(table: str) -> None:
    """And none more."""
    directions = [f"{sign}{column}" for column in STATEMENTS[table].sort for sign in ("", "-")]
    assert resources()[table].schemas["sort"]["enum"] == directions


@pytest.mark.parametrize(("table", "column"), SORTED)
def test_every_column_to_sort_by_has_an_index_that_breaks_ties_by_id(table: str, column: str) -> None:
    """The primary key is one."""
    indexes = [[part.name for part in index.columns] for index in metadata.tables[table].indexes]
    assert column == "id" or [column, "id"] in indexes
    assert not metadata.tables[table].c[column].nullable

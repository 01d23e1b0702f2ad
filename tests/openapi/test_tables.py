"""The spec and the tables agree: what the contract accepts, the database can hold, and no more."""

from typing import Any

import pytest
from sqlalchemy import String

from db.items import MAX_ID, SORT_COLUMNS
from db.schema import items
from tests.support import resolve, specification


def _schema(name: str) -> dict[str, Any]:
    schema = resolve(specification()["components"]["schemas"]["Item"]["properties"][name])
    return {key: value for part in [schema, *map(resolve, schema.get("allOf", []))] for key, value in part.items()}


def test_the_table_has_the_items_members_and_a_version() -> None:
    """Nothing is stored that is not shown, but for the ETag's number."""
    assert set(items.columns.keys()) == {*specification()["components"]["schemas"]["Item"]["properties"], "version"}


@pytest.mark.parametrize("name", ["name", "description", "created_at", "updated_at"])
def test_lengths_agree(name: str) -> None:
    """VARCHAR(n) on PostgreSQL is maxLength in the contract: both count code points."""
    column = items.columns[name].type
    assert isinstance(column, String)
    assert column.length == _schema(name)["maxLength"]


@pytest.mark.parametrize("name", specification()["components"]["schemas"]["Item"]["properties"])
def test_what_can_be_null_agrees(name: str) -> None:
    """Null in the contract is NULL in the table."""
    assert items.columns[name].nullable == bool(_schema(name).get("nullable"))


def test_ids_have_one_range() -> None:
    """In the spec, in the code and in the table."""
    checks = [str(check.sqltext) for check in items.constraints if hasattr(check, "sqltext")]
    assert (_schema("id")["minimum"], _schema("id")["maximum"]) == (1, MAX_ID)
    assert f"id BETWEEN 1 AND {MAX_ID}" in checks


def test_every_column_to_sort_by_is_in_the_spec_both_ways() -> None:
    """And none more."""
    directions = [f"{sign}{column}" for column in SORT_COLUMNS for sign in ("", "-")]
    assert specification()["components"]["schemas"]["ItemSort"]["enum"] == directions


@pytest.mark.parametrize("column", SORT_COLUMNS)
def test_every_column_to_sort_by_has_an_index_that_breaks_ties_by_id(column: str) -> None:
    """The primary key is one."""
    indexes = [[part.name for part in index.columns] for index in items.indexes]
    assert column == "id" or [column, "id"] in indexes

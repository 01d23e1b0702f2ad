"""What tables are made of: the columns that every resource has, and types that mean the same on both databases."""

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy import text as sql
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeDecorator

OWNER_LENGTH = 200
_OWNED: dict[str, Any] = {"sqlite_where": sql("owner IS NOT NULL"), "postgresql_where": sql("owner IS NOT NULL")}


def resource(name: str, metadata: MetaData, *parts: SchemaItem) -> Table:
    """The table of a resource: its own columns, constraints and indexes, and the columns that all of them have.

    Times are stored as the contract shows them (RFC 3339, UTC, microseconds, always 27 characters): they sort as text,
    and no request pays for converting them. `owner` is who made the row; null if the service knew nobody.
    """
    return Table(
        name,
        metadata,
        Column("id", integer(), primary_key=True),
        Column("version", Integer, nullable=False),
        Column("owner", text(OWNER_LENGTH)),
        *parts,
        Column(
            "created_at", text(27), CheckConstraint("length(created_at) = 27", f"{name}_created_at"), nullable=False
        ),
        Column(
            "updated_at", text(27), CheckConstraint("length(updated_at) = 27", f"{name}_updated_at"), nullable=False
        ),
        *sorted_by(name, "created_at"),
        *sorted_by(name, "updated_at"),
        Index(f"{name}_own", "owner", "id", **_OWNED),
        CheckConstraint("id BETWEEN 1 AND 9007199254740991", f"{name}_id"),
        sqlite_autoincrement=True,  # an id is never assigned twice
    )


def sorted_by(table: str, column: str) -> tuple[Index, Index]:
    """The indexes for pages in the order of a column: of all rows, and of the rows of one owner.

    The second one has only rows with an owner, so it costs nothing where there are none.
    """
    return (
        Index(f"{table}_by_{column}", column, "id"),
        Index(f"{table}_own_by_{column}", "owner", column, "id", **_OWNED),
    )


def text(length: int) -> String:
    """Text that sorts by code point: SQLite's BINARY does, PostgreSQL's "C" does."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def integer() -> Integer:
    """An integer of 64 bits; on SQLite all are."""
    return BigInteger().with_variant(Integer, "sqlite")


def number() -> Double[float]:
    """A floating-point number of 64 bits."""
    return Double()


def boolean(check: str) -> Boolean:
    """True or false; `check` is the name of the constraint that SQLite needs for it."""
    return Boolean(create_constraint=True, name=check)


def reference(table: str) -> ForeignKey:
    """The foreign key of a column that has the id of a row of `table`."""
    return ForeignKey(f"{table}.id")


class Strings(TypeDecorator[list[str]]):
    """A list of strings, as JSON text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, _dialect: Dialect) -> str | None:
        """The text that is stored."""
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: Any | None, _dialect: Dialect) -> list[str] | None:
        """The list that was stored."""
        return None if value is None else json.loads(value)


def array_length(table: str, column: str, least: int, most: int) -> Iterator[CheckConstraint]:
    """The check of the length of a column of `Strings`, in the words of each database."""
    for dialect, array in (("sqlite", f'"{column}"'), ("postgresql", f'"{column}"::json')):
        check = f"json_array_length({array}) BETWEEN {least} AND {most}"
        constraint = CheckConstraint(check, f"{table}_{column}", info={"dialect": dialect})  # for tools/migration.py
        yield constraint.ddl_if(dialect=dialect)

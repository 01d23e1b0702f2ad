"""The tables. Lengths count code points, as in the contract, on SQLite and on PostgreSQL alike."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, MetaData, String, Table
from sqlalchemy.schema import SchemaItem

metadata = MetaData()


def _text(length: int) -> String:
    """Text that sorts by code point: SQLite's BINARY does, PostgreSQL's "C" does."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def _integer() -> Integer:
    """An integer of 64 bits; on SQLite all are."""
    return BigInteger().with_variant(Integer, "sqlite")


def _resource(name: str, *parts: SchemaItem) -> Table:
    """The table of a resource: its own columns, constraints and indexes, and the columns that all of them have.

    Times are stored as the contract shows them (RFC 3339, UTC, microseconds, always 27 characters): they sort as text,
    and no request pays for converting them.
    """
    return Table(
        name,
        metadata,
        Column("id", _integer(), primary_key=True),
        Column("version", Integer, nullable=False),
        *parts,
        Column(
            "created_at", _text(27), CheckConstraint("length(created_at) = 27", f"{name}_created_at"), nullable=False
        ),
        Column(
            "updated_at", _text(27), CheckConstraint("length(updated_at) = 27", f"{name}_updated_at"), nullable=False
        ),
        Index(f"{name}_by_created_at", "created_at", "id"),
        Index(f"{name}_by_updated_at", "updated_at", "id"),
        CheckConstraint("id BETWEEN 1 AND 9007199254740991", f"{name}_id"),
        sqlite_autoincrement=True,  # an id is never assigned twice
    )


items = _resource(
    "items",
    Column("name", _text(80), CheckConstraint("length(name) BETWEEN 1 AND 80", "items_name_length"), nullable=False),
    Column("description", _text(200), CheckConstraint("length(description) <= 200", "items_description_length")),
    Index("items_by_name", "name", "id"),
)

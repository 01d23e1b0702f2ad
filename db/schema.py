"""The tables. Lengths count code points, as in the contract, on SQLite and on PostgreSQL alike."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, MetaData, String, Table

metadata = MetaData()


def _text(length: int) -> String:
    """Text that sorts by code point: SQLite's BINARY does, PostgreSQL's "C" does."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


# Times are kept as the contract shows them (RFC 3339, UTC, microseconds, always 27 characters): they sort as text, and
# no request pays for turning them into something else and back.
items = Table(
    "items",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("name", _text(80), CheckConstraint("length(name) BETWEEN 1 AND 80", "items_name_length"), nullable=False),
    Column("description", _text(200), CheckConstraint("length(description) <= 200", "items_description_length")),
    Column("created_at", _text(27), CheckConstraint("length(created_at) = 27", "items_created_at"), nullable=False),
    Column("updated_at", _text(27), CheckConstraint("length(updated_at) = 27", "items_updated_at"), nullable=False),
    Index("items_by_name", "name", "id"),
    Index("items_by_created_at", "created_at", "id"),
    Index("items_by_updated_at", "updated_at", "id"),
    CheckConstraint("id BETWEEN 1 AND 9007199254740991", "items_id"),
    sqlite_autoincrement=True,  # an id is never given twice
)

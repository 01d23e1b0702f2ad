"""The tables. Lengths count code points, as in the contract, on SQLite and on PostgreSQL alike."""

from sqlalchemy import CheckConstraint, Column, Index, MetaData

from db import columns

metadata = MetaData()

items = columns.resource(
    "items",
    metadata,
    Column(
        "name", columns.text(80), CheckConstraint("length(name) BETWEEN 1 AND 80", "items_name_length"), nullable=False
    ),
    Column("description", columns.text(200), CheckConstraint("length(description) <= 200", "items_description_length")),
    Index("items_by_name", "name", "id"),
)

"""The tables of release 1.0.0.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table of items."""
    op.create_table(
        "items",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", _text(80), nullable=False),
        sa.Column("description", _text(200), nullable=True),
        sa.Column("created_at", _text(27), nullable=False),
        sa.Column("updated_at", _text(27), nullable=False),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 80", name="items_name_length"),
        sa.CheckConstraint("length(description) <= 200", name="items_description_length"),
        sa.CheckConstraint("length(created_at) = 27", name="items_created_at"),
        sa.CheckConstraint("length(updated_at) = 27", name="items_updated_at"),
        sa.CheckConstraint("id BETWEEN 1 AND 9007199254740991", name="items_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("items_by_name", "items", ["name", "id"])
    op.create_index("items_by_created_at", "items", ["created_at", "id"])
    op.create_index("items_by_updated_at", "items", ["updated_at", "id"])


def downgrade() -> None:
    """Drop the table and its rows."""
    op.drop_table("items")


def _text(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")

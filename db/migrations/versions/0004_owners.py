"""The owners of items, and the audit log.

Revision: 0004
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_OWNED: dict[str, Any] = {
    "sqlite_where": sa.text("owner IS NOT NULL"),
    "postgresql_where": sa.text("owner IS NOT NULL"),
}


def upgrade() -> None:
    """Add the column, with indexes that have only rows with an owner, and create the table."""
    op.add_column("items", sa.Column("owner", _text(200), nullable=True))
    op.create_index("items_own", "items", ["owner", "id"], **_OWNED)
    for name in ("name", "created_at", "updated_at"):
        op.create_index(f"items_own_by_{name}", "items", ["owner", name, "id"], **_OWNED)
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("created_at", _text(27), nullable=False),
        sa.Column("principal", _text(200), nullable=False),
        sa.Column("operation", _text(200), nullable=False),
        sa.Column("method", _text(20), nullable=False),
        sa.Column("resource", _text(2000), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("client", _text(100), nullable=False),
        sa.Column("request_id", _text(64), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_log_by_created_at", "audit_log", ["created_at"])
    op.create_index("audit_log_by_principal", "audit_log", ["principal", "id"])
    op.create_index("audit_log_by_resource", "audit_log", ["resource", "id"])


def downgrade() -> None:
    """Drop both: items belong to nobody, and the log is lost."""
    op.drop_table("audit_log")
    with op.batch_alter_table("items", table_kwargs={"sqlite_autoincrement": True}) as items:
        for name in ("items_own", "items_own_by_name", "items_own_by_created_at", "items_own_by_updated_at"):
            items.drop_index(name)
        items.drop_column("owner")


def _text(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")

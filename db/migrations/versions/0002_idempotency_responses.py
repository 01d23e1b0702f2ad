"""The responses that are kept for idempotency keys.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create their table."""
    op.create_table(
        "idempotency_responses",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "caller",
            sa.String(length=200).with_variant(sa.String(length=200, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "operation",
            sa.String(length=200).with_variant(sa.String(length=200, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "key",
            sa.String(length=255).with_variant(sa.String(length=255, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.String(length=27).with_variant(sa.String(length=27, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("idempotency_responses", table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.create_index("idempotency_responses_by_created_at", ["created_at"], unique=False)
        batch_op.create_index("idempotency_responses_by_key", ["caller", "operation", "key"], unique=True)


def downgrade() -> None:
    """Drop it: keys that were used can be used again."""
    with op.batch_alter_table("idempotency_responses", table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.drop_index("idempotency_responses_by_key")
        batch_op.drop_index("idempotency_responses_by_created_at")

    op.drop_table("idempotency_responses")

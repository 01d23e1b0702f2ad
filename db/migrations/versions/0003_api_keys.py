"""The API keys, of which only keyed hashes are stored.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create their table."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", _text(100), nullable=False),
        sa.Column("scopes", _text(1000), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("hint", _text(20), nullable=False),
        sa.Column("created_at", _text(27), nullable=False),
        sa.Column("expires_at", _text(27), nullable=True),
        sa.Column("revoked_at", _text(27), nullable=True),
        sa.Column("last_used_at", _text(27), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("api_keys_by_digest", "api_keys", ["digest"], unique=True)
    op.create_index("api_keys_by_name", "api_keys", ["name"])


def downgrade() -> None:
    """Drop it: no key is valid any more."""
    op.drop_table("api_keys")


def _text(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")

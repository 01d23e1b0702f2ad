"""The tables. Lengths count code points, as in the contract, on SQLite and on PostgreSQL alike."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, LargeBinary, MetaData, Table

from db import columns

metadata = MetaData()

items = columns.resource(
    "items",
    metadata,
    Column(
        "name", columns.text(80), CheckConstraint("length(name) BETWEEN 1 AND 80", "items_name_length"), nullable=False
    ),
    Column("description", columns.text(200), CheckConstraint("length(description) <= 200", "items_description_length")),
    *columns.sorted_by("items", "name"),
)

idempotency_responses = Table(
    "idempotency_responses",
    metadata,
    Column("id", columns.integer(), primary_key=True),
    Column("caller", columns.text(200), nullable=False),
    Column("operation", columns.text(200), nullable=False),
    Column("key", columns.text(255), nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", columns.text(27), nullable=False),
    Index("idempotency_responses_by_key", "caller", "operation", "key", unique=True),
    Index("idempotency_responses_by_created_at", "created_at"),
    sqlite_autoincrement=True,
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", columns.integer(), primary_key=True),
    Column("name", columns.text(100), nullable=False),
    Column("scopes", columns.text(1000), nullable=False),  # separated by spaces (RFC 6749 §3.3)
    Column("digest", LargeBinary, nullable=False),
    Column("hint", columns.text(20), nullable=False),
    Column("created_at", columns.text(27), nullable=False),
    Column("expires_at", columns.text(27)),
    Column("revoked_at", columns.text(27)),
    Column("last_used_at", columns.text(27)),
    Index("api_keys_by_digest", "digest", unique=True),
    Index("api_keys_by_name", "name"),
    sqlite_autoincrement=True,
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", columns.integer(), primary_key=True),
    Column("created_at", columns.text(27), nullable=False),
    Column("principal", columns.text(columns.OWNER_LENGTH), nullable=False),
    Column("operation", columns.text(200), nullable=False),
    Column("method", columns.text(20), nullable=False),
    Column("resource", columns.text(2000), nullable=False),
    Column("status", Integer, nullable=False),
    Column("client", columns.text(100), nullable=False),
    Column("request_id", columns.text(64), nullable=False),
    Index("audit_log_by_created_at", "created_at"),
    Index("audit_log_by_principal", "principal", "id"),
    Index("audit_log_by_resource", "resource", "id"),
    sqlite_autoincrement=True,
)

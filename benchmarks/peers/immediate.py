"""SQLite with `BEGIN IMMEDIATE` without an event of SQLAlchemy, which would cost more than the transaction."""

from typing import Any

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite


class ImmediateSQLite(SQLiteDialect_pysqlite):
    """SQLite whose transactions take the write lock at once."""

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin a transaction."""
        dbapi_connection.execute("BEGIN IMMEDIATE")

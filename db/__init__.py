"""The database: tables, statements and engine, in plain SQLAlchemy Core. Knows nothing of HTTP."""

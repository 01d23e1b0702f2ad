"""Compares the tables of a database with those of the code, `db.schema`. Imports Alembic."""

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Boolean, Connection, MetaData, StaticPool, create_engine, inspect, text

from db.schema import metadata

OPTIONS = {
    "compare_type": True,
    "compare_server_default": True,
    # Constraints have names here, so those of CHECK can be compared by name.
    "autogenerate_plugins": ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
}


def differences(connection: Connection) -> list[str]:
    """Return what a database has that the code does not have (`remove_…`), and the reverse (`add_…`)."""
    is_sqlite = connection.dialect.name == "sqlite"

    def is_compared(name: str | None, kind: str, _parents: Any) -> bool:
        return is_sqlite or kind != "table" or name in metadata.tables  # others may use the same PostgreSQL database

    context = MigrationContext.configure(connection, opts={**OPTIONS, "include_name": is_compared})
    found = [_described(difference) for difference in compare_metadata(context, copied(metadata))]
    if is_sqlite:
        return found + unseen(connection)
    return [difference for difference in found if difference not in _checks_of_sqlite()]


def _checks_of_sqlite() -> set[str]:
    """Return what Alembic misses on PostgreSQL: it has a type for true and false, and needs no constraints for them."""
    columns = [column for table in metadata.tables.values() for column in table.columns]
    return {
        f"add_constraint {column.table.name}.{column.type.name}"
        for column in columns
        if isinstance(column.type, Boolean)
    }


def _described(difference: Any) -> str:
    """Return a difference of Alembic in words, such as `add_index items.items_by_name`."""
    if isinstance(difference, list):  # of one column
        return "; ".join(f"{kind} {table}.{column}" for kind, _, table, column, *_ in difference)
    kind, *_, thing = difference
    table = difference[2] if kind.endswith("_column") else getattr(getattr(thing, "table", None), "name", None)
    return f"{kind} {table}.{thing.name}" if table else f"{kind} {thing.name}"


def copied(tables: MetaData) -> MetaData:
    """Return a copy: Alembic adds constraints to the tables that it compares."""
    copy = MetaData()
    for table in tables.sorted_tables:
        table.to_metadata(copy)
    return copy


def unseen(connection: Connection) -> list[str]:
    """Return the differences of an SQLite database that Alembic does not see: conditions, and AUTOINCREMENT."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as fresh:
        metadata.create_all(fresh)
        expected = _details(fresh)
    engine.dispose()
    found = _details(connection)
    return [f"modify_{name}" for name, detail in expected.items() if found.get(name, detail) != detail]


def _details(connection: Connection) -> dict[str, Any]:
    """Return the condition of each CHECK constraint, and whether each table never assigns an id twice."""
    tables = connection.execute(text("SELECT name, sql FROM sqlite_schema WHERE type = 'table'")).all()
    found: dict[str, Any] = {f"autoincrement {name}": "AUTOINCREMENT" in sql.upper() for name, sql in tables}
    for name, _ in tables:
        for check in inspect(connection).get_check_constraints(name):
            found[f"constraint {name}.{check['name']}"] = check["sqltext"]
    return found

"""What the tables of all resources have in common: their statements, each built once, when the module is imported.

The table of a resource has the columns `id`, `version`, `owner`, `created_at` and `updated_at` beside its own ones.
Clients see neither `version` nor `owner`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Float, Table, bindparam, delete, insert, select, update

from db.pages import Pages, Position, Values, scoped
from db.prepared import Prepared, Rows
from db.schema import metadata

__all__ = ["MAX_ID", "MissingReferenceError", "Position", "Statements", "Stored", "Values", "ping", "timestamp"]
MAX_ID = 2**53 - 1


class Stored(NamedTuple):
    """A row as the contract shows it, and its version (1 when it is added, 1 more with each change)."""

    body: Values
    version: int


class MissingReferenceError(Exception):
    """A row refers to another one that does not exist."""

    def __init__(self, column: str, table: str, row_id: int) -> None:
        super().__init__(f"{column}: there is no row {row_id} in {table}")
        self.column, self.table, self.row_id = column, table, row_id


class Statements(Pages):
    """The statements on one table, beside those that read pages. Every method takes the connection that it runs on.

    `owner` is whose rows a method finds and changes, as if the table had no others; None is for all rows.
    """

    def __init__(self, table: Table, *, sort: Sequence[str], filters: Sequence[str] = ()) -> None:
        super().__init__(table, sort=sort, filters=filters, hidden=("version", "owner"))
        self._floats = [column.name for column in self.columns if isinstance(column.type, Float)]
        find = select(*self.columns, table.c.version).where(table.c.id == bindparam("id"))
        self._find = scoped(find, table)
        self._find_for_update = scoped(find.with_for_update(), table)
        added = [column.name for column in table.columns if column.name != "id"]
        self._add = Prepared(insert(table).returning(table.c.id), added)
        changed = [column.name for column in self.columns if column.name not in ("id", "created_at")]
        new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in [*changed, "version"]}
        self._change = scoped(update(table).where(table.c.id == bindparam("new_id")).values(new), table)
        self._remove = scoped(delete(table).where(table.c.id == bindparam("id")), table)
        self._references = {
            key.parent.name: (
                key.column.table.name,
                scoped(select(key.column).where(key.column == bindparam("id")), key.column.table),
            )
            for key in table.foreign_keys
        }

    def find(self, connection: Connection, row_id: int, owner: str | None = None) -> Stored | None:
        """The row with this id."""
        return self._only(self._find.execute(connection, {"id": row_id}, owner))

    def find_for_update(self, connection: Connection, row_id: int, owner: str | None = None) -> Stored | None:
        """The row with this id, locked against other writers until the transaction ends."""
        return self._only(self._find_for_update.execute(connection, {"id": row_id}, owner))

    def add(self, connection: Connection, values: Mapping[str, Any], owner: str | None = None) -> Stored:
        """Add a row. `values` has every column that the service does not fill in itself."""
        now = _now()
        row = {**self._storable(connection, values, owner), "created_at": now, "updated_at": now}
        row |= {"version": 1, "owner": owner}
        ((row["id"],),) = self._add.execute(connection, row)
        return Stored(self.make.ordered(row), 1)

    def change(
        self, connection: Connection, stored: Stored, values: Mapping[str, Any], owner: str | None = None
    ) -> Stored:
        """Give a row (found for update) other values, and with them a new version."""
        values = self._storable(connection, values, owner)
        changed = Stored({**stored.body, **values, "updated_at": _now()}, stored.version + 1)
        row = {f"new_{name}": value for name, value in changed.body.items()}
        self._change.execute(connection, row | {"new_version": changed.version}, owner)
        return changed

    def remove(self, connection: Connection, row_id: int, owner: str | None = None) -> None:
        """Remove the row with this id."""
        self._remove.execute(connection, {"id": row_id}, owner)

    def _only(self, rows: Rows) -> Stored | None:
        return Stored(self.make.one(rows[0]), rows[0][-1]) if rows else None

    def _storable(self, connection: Connection, values: Mapping[str, Any], owner: str | None) -> Mapping[str, Any]:
        """The values as they will be read back. Raise `MissingReferenceError` for a reference to a row that is missing.

        The foreign keys refuse it as well, but an error of the database does not say which value is to blame, and they
        know no owners.
        """
        for column, (table, statement) in self._references.items():
            row_id = values.get(column)
            if row_id is not None and not statement.execute(connection, {"id": row_id}, owner):
                raise MissingReferenceError(column, table, row_id)
        if self._floats:  # JSON's 1 is read back as 1.0
            return {
                name: float(value) if name in self._floats and value is not None else value
                for name, value in values.items()
            }
        return values


def ping(connection: Connection) -> None:
    """Ask the database anything that needs every table."""
    for table in metadata.tables.values():
        connection.execute(select(table.c.id).limit(1))


def timestamp(moment: datetime) -> str:
    """A moment in UTC as it is stored, and as the contract shows it."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _now() -> str:
    return timestamp(datetime.now(UTC))

"""What the tables of all resources have in common: their statements, each built once, when the module is imported.

The table of a resource has the columns `id`, `version`, `created_at` and `updated_at` beside its own ones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations, product
from typing import Any, NamedTuple

from sqlalchemy import Connection, Float, Select, Table, bindparam, delete, insert, select, tuple_, update

from db.schema import metadata

MAX_ID = 2**53 - 1
Values = dict[str, Any]


class Stored(NamedTuple):
    """A row as the contract shows it, and its version (1 when it is added, 1 more with each change)."""

    body: Values
    version: int


class Position(NamedTuple):
    """A position in an order: the sort column's value, and the id that breaks ties."""

    key: str | float
    id: int


class MissingReferenceError(Exception):
    """A row refers to another one that does not exist."""

    def __init__(self, column: str, table: str, row_id: int) -> None:
        super().__init__(f"{column}: there is no row {row_id} in {table}")
        self.column, self.table, self.row_id = column, table, row_id


class Statements:
    """The statements on one table. Every method takes the connection that it runs on.

    `sort` names the columns that a page can be sorted by: they are not nullable, and each has an index that ends with
    the id. `filters` names the columns that a page can be filtered by.
    """

    def __init__(self, table: Table, *, sort: Sequence[str], filters: Sequence[str] = ()) -> None:
        columns = [column for column in table.columns if column.name != "version"]
        names = [column.name for column in columns]
        self.table = table
        self.sort = {name: table.c[name].type.python_type for name in sort}
        self._make = _row_factories(names)
        self._floats = [column.name for column in columns if isinstance(column.type, Float)]
        self._find = select(*columns, table.c.version).where(table.c.id == bindparam("id"))
        self._find_for_update = self._find.with_for_update()
        self._add = insert(table).returning(table.c.id)
        changed = [name for name in names if name not in ("id", "created_at")]
        self._change = (
            update(table)
            .where(table.c.id == bindparam("new_id"))
            .values({name: bindparam(f"new_{name}") for name in [*changed, "version"]})
        )
        self._remove = delete(table).where(table.c.id == bindparam("id"))
        self._references = {
            key.parent.name: (key.column.table.name, select(key.column).where(key.column == bindparam("id")))
            for key in table.foreign_keys
        }
        self._pages = {
            (sign + name, filtered, positioned): _page(select(*columns), table, sign + name, filtered, positioned)
            for sign, name, positioned in product(("", "-"), sort, (False, True))
            for size in range(len(filters) + 1)
            for filtered in combinations(filters, size)
        }

    def find(self, connection: Connection, row_id: int) -> Stored | None:
        """The row with this id."""
        row = connection.execute(self._find, {"id": row_id}).first()
        return None if row is None else Stored(self._make.one(row), row[-1])

    def find_for_update(self, connection: Connection, row_id: int) -> Stored | None:
        """The row with this id, locked against other writers until the transaction ends."""
        row = connection.execute(self._find_for_update, {"id": row_id}).first()
        return None if row is None else Stored(self._make.one(row), row[-1])

    def page(
        self, connection: Connection, sort: str, filters: Mapping[str, Any], after: Position | None, limit: int
    ) -> list[Values]:
        """At most `limit` rows in the order `sort` (a column; `-` before it for descending) after `after`, by keyset.

        A filter that is None does not take effect.
        """
        given = {name: value for name, value in filters.items() if value is not None}
        statement = self._pages[sort, tuple(given), after is not None]
        given["limit"] = limit
        if after is not None:
            given["after_key"], given["after_id"] = after
        return self._make.many(connection.execute(statement, given).all())

    def add(self, connection: Connection, values: Mapping[str, Any]) -> Stored:
        """Add a row. `values` has every column that the service does not fill in itself."""
        now = _now()
        row = {**self._storable(connection, values), "created_at": now, "updated_at": now, "version": 1}
        row["id"] = connection.execute(self._add, row).scalar_one()
        return Stored(self._make.ordered(row), 1)

    def change(self, connection: Connection, stored: Stored, values: Mapping[str, Any]) -> Stored:
        """Give a row (found for update) other values, and with them a new version."""
        values = self._storable(connection, values)
        changed = Stored({**stored.body, **values, "updated_at": _now()}, stored.version + 1)
        row = {f"new_{name}": value for name, value in changed.body.items()}
        connection.execute(self._change, row | {"new_version": changed.version})
        return changed

    def remove(self, connection: Connection, row_id: int) -> None:
        """Remove the row with this id."""
        connection.execute(self._remove, {"id": row_id})

    def _storable(self, connection: Connection, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The values as they will be read back. Raise `MissingReferenceError` for a reference to a row that is missing.

        The foreign keys refuse it as well, but an error of the database does not say which value is to blame.
        """
        for column, (table, statement) in self._references.items():
            row_id = values.get(column)
            if row_id is not None and connection.execute(statement, {"id": row_id}).first() is None:
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


def _page(
    statement: Select[Any],
    table: Table,
    sort: str,
    filtered: Iterable[str],
    positioned: bool,  # noqa: FBT001 -- a column of the table of pages
) -> Select[Any]:
    column, descending = sort.removeprefix("-"), sort.startswith("-")
    order = [table.c.id] if column == "id" else [table.c[column], table.c.id]
    statement = statement.order_by(*(part.desc() if descending else part for part in order)).limit(bindparam("limit"))
    statement = statement.where(*(table.c[name] == bindparam(name) for name in filtered))
    if not positioned:
        return statement
    position = tuple_(*order)
    after = tuple_(*(bindparam(name) for name in ("after_key", "after_id")[-len(order) :]))
    return statement.where(position < after if descending else position > after)


class _RowFactories(NamedTuple):
    one: Callable[[Any], Values]
    many: Callable[[Iterable[Any]], list[Values]]
    ordered: Callable[[Mapping[str, Any]], Values]


def _row_factories(names: Sequence[str]) -> _RowFactories:
    """Functions that make a dict of a row, dicts of rows, and of a mapping a dict in the order of `names`.

    They are compiled, as `collections.namedtuple` compiles its classes, because they run for every row: a literal costs
    half of `dict(zip(names, row))`. A single row may have more columns behind those of `names`, rows in a list may not.
    """
    by_index = ", ".join(f"{name!r}: row[{index}]" for index, name in enumerate(names))
    by_name = ", ".join(f"{name!r}: row[{name!r}]" for name in names)
    values = [f"value_{index}" for index in range(len(names))]
    unpacked = ", ".join(f"{name!r}: {value}" for name, value in zip(names, values, strict=True))
    return _RowFactories(
        eval(f"lambda row: {{{by_index}}}"),  # noqa: S307 -- made of the names of columns
        eval(f"lambda rows: [{{{unpacked}}} for {', '.join(values)}, in rows]"),  # noqa: S307 -- the same
        eval(f"lambda row: {{{by_name}}}"),  # noqa: S307 -- the same
    )

"""Statements that read pages of a table by keyset, and the rows of all or of one owner. Each is built once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, product
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Delete,
    FromClause,
    Select,
    Table,
    Update,
    bindparam,
    select,
    tuple_,
)

from db.prepared import Prepared, Rows

Values = dict[str, Any]


class Position(NamedTuple):
    """A position in an order: the sort column's value, and the id that breaks ties."""

    key: str | float
    id: int


class Scoped(NamedTuple):
    """A statement on all rows, and the same statement on the rows of one owner; None if the table has no owners."""

    all: Prepared
    owned: Prepared | None

    def execute(self, connection: Connection, values: Mapping[str, Any], owner: str | None) -> Rows:
        """Run it for an owner, or on all rows if that is None. Return all rows that it finds."""
        if owner is None:
            return self.all.execute(connection, values)
        if self.owned is None:
            raise ValueError("the rows of this table have no owners")
        return self.owned.execute(connection, {**values, "of_owner": owner})


def scoped(statement: Select[Any] | Update | Delete, table: FromClause) -> Scoped:
    """Return a statement on a table in both forms."""
    owner = table.c.get("owner")
    owned = None if owner is None else Prepared(statement.where(owner == bindparam("of_owner")))
    return Scoped(Prepared(statement), owned)


class Pages:
    """The pages of one table, with all columns but those that are `hidden` from clients.

    `sort` names the columns that a page can be sorted by: they are not nullable, and each has an index that ends with
    the id. `filters` names the columns that a page can be filtered by.
    """

    def __init__(
        self, table: Table, *, sort: Sequence[str], filters: Sequence[str] = (), hidden: Sequence[str] = ()
    ) -> None:
        self.table = table
        self.sort = {name: table.c[name].type.python_type for name in sort}
        self.columns: list[Column[Any]] = [column for column in table.columns if column.name not in hidden]
        self.make = row_factories([column.name for column in self.columns])
        self._pages = {
            (sign + name, filtered, positioned): scoped(
                _page(select(*self.columns), table, sign + name, filtered, positioned), table
            )
            for sign, name, positioned in product(("", "-"), sort, (False, True))
            for size in range(len(filters) + 1)
            for filtered in combinations(filters, size)
        }

    def page(
        self,
        connection: Connection,
        sort: str,
        filters: Mapping[str, Any],
        after: Position | None,
        limit: int,
        owner: str | None = None,
    ) -> list[Values]:
        """At most `limit` rows in the order `sort` (a column; `-` before it for descending) after `after`, by keyset.

        A filter that is None does not take effect. With an `owner`, the rows of others are not there.
        """
        given = {name: value for name, value in filters.items() if value is not None}
        statement = self._pages[sort, tuple(given), after is not None]
        given["limit"] = limit
        if after is not None:
            given["after_key"], given["after_id"] = after
        return self.make.many(statement.execute(connection, given, owner))


def _page(
    statement: Select[Any],
    table: Table,
    sort: str,
    filtered: Sequence[str],
    positioned: bool,  # noqa: FBT001 -- a column of the table of pages
) -> Select[Any]:
    column, descending = sort.removeprefix("-"), sort.startswith("-")
    order = [table.c.id] if column in ("id", *filtered) else [table.c[column], table.c.id]  # filtered ones are equal
    statement = statement.order_by(*(part.desc() if descending else part for part in order)).limit(bindparam("limit"))
    statement = statement.where(*(table.c[name] == bindparam(name) for name in filtered))
    if not positioned:
        return statement
    position = tuple_(*order)
    after = tuple_(*(bindparam(name) for name in ("after_key", "after_id")[-len(order) :]))
    return statement.where(position < after if descending else position > after)


class RowFactories(NamedTuple):
    """Functions that make a dict of a row, dicts of rows, and of a mapping a dict in the order of the columns."""

    one: Callable[[Any], Values]
    many: Callable[[Iterable[Any]], list[Values]]
    ordered: Callable[[Mapping[str, Any]], Values]


def row_factories(names: Sequence[str]) -> RowFactories:
    """Return the functions for rows with these columns. A single row may have more behind them, rows in a list may not.

    They are compiled, as `collections.namedtuple` compiles its classes, because they run for every row: a literal costs
    half of `dict(zip(names, row))`.
    """
    by_index = ", ".join(f"{name!r}: row[{index}]" for index, name in enumerate(names))
    by_name = ", ".join(f"{name!r}: row[{name!r}]" for name in names)
    values = [f"value_{index}" for index in range(len(names))]
    unpacked = ", ".join(f"{name!r}: {value}" for name, value in zip(names, values, strict=True))
    return RowFactories(
        eval(f"lambda row: {{{by_index}}}"),  # noqa: S307 -- made of the names of columns
        eval(f"lambda rows: [{{{unpacked}}} for {', '.join(values)}, in rows]"),  # noqa: S307 -- the same
        eval(f"lambda row: {{{by_name}}}"),  # noqa: S307 -- the same
    )

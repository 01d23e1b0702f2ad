"""Prepared statements: compiled once, and on SQLite run by the driver itself.

SQLAlchemy's `Connection.execute` does the same, but looks up the compiled form, and makes an execution context, a
result and its rows each time: 30 µs for a statement that takes SQLite 6. A server's database costs far more than that,
so others than SQLite get the statement through SQLAlchemy.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.types import TypeEngine

from db.sqlite import error_of, raw

Statement = Select[Any] | Insert | Update | Delete
Rows = Sequence[Sequence[Any]]
_Convert = Callable[[Any], Any]


class Prepared:
    """A statement whose parameters are known by name. `columns` are those that an INSERT gives values to."""

    def __init__(self, statement: Statement, columns: Sequence[str] | None = None) -> None:
        self.statement = statement
        self._columns = columns
        self._on_sqlite: _OnSQLite | None = None

    def execute(self, connection: Connection, values: Mapping[str, Any]) -> Rows:
        """Run it, and return all rows; none if it returns no rows. Raise `SQLAlchemyError`."""
        if connection.dialect.name != "sqlite":
            result = connection.execute(self.statement, values)
            return result.all() if result.returns_rows else ()
        if self._on_sqlite is None:
            self._on_sqlite = _OnSQLite(self.statement, self._columns, connection.dialect)
        return self._on_sqlite.execute(raw(connection), values)


class _OnSQLite:
    """A statement as the driver takes it: its SQL, the order of its parameters, and what converts values."""

    def __init__(self, statement: Statement, columns: Sequence[str] | None, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        if compiled.prefetch:
            raise ValueError(
                f"a prepared statement has no defaults of Python: {', '.join(map(str, compiled.prefetch))}"
            )
        self._sql = str(compiled)
        self._names = list(compiled.positiontup or ())
        binds = compiled.binds
        self._fixed = {name: binds[name].value for name in self._names if not binds[name].required}
        self._to_driver = _conversions(
            binds[name].type.dialect_impl(dialect).bind_processor(dialect) for name in self._names
        )
        types: list[TypeEngine[Any]] = [column.type for column in statement.exported_columns]
        self._from_driver = _conversions(one.dialect_impl(dialect).result_processor(dialect, None) for one in types)

    def execute(self, connection: sqlite3.Connection, values: Mapping[str, Any]) -> Rows:
        if self._fixed:
            values = {**self._fixed, **values}
        parameters = [values[name] for name in self._names]
        _convert(self._to_driver, parameters)
        try:
            rows: list[Any] = connection.execute(self._sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise error_of(self._sql, error) from error
        if self._from_driver:
            rows = [list(row) for row in rows]
            for row in rows:
                _convert(self._from_driver, row)
        return rows


def _conversions(processors: Iterable[_Convert | None]) -> list[tuple[int, _Convert]]:
    """Return the positions of values that are converted, each with its function."""
    return [(index, convert) for index, convert in enumerate(processors) if convert is not None]


def _convert(conversions: list[tuple[int, _Convert]], values: list[Any]) -> None:
    for index, convert in conversions:
        values[index] = convert(values[index])

"""Prepared statements: on SQLite the driver runs them, with the results and the errors that SQLAlchemy has."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Select,
    Table,
    bindparam,
    create_engine,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, OperationalError

from db import columns
from db.prepared import Prepared, Rows

metadata = MetaData()
things = Table(
    "things",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", columns.text(5), unique=True),
    Column("is_new", columns.boolean("things_is_new")),
    Column("size", columns.number()),
    Column("tags", columns.Strings()),
)
FIRST = {"name": "a", "is_new": True, "size": 1.5, "tags": ["x", "ÿ"]}
SECOND = {"name": "b", "is_new": None, "size": None, "tags": None}
ADD = Prepared(insert(things).returning(things.c.id), list(FIRST))


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A database in memory, with the table."""
    made = create_engine("sqlite://")
    metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A connection to the database, which has two rows."""
    with engine.connect() as opened:
        assert [ADD.execute(opened, one) for one in (FIRST, SECOND)] == [[(1,)], [(2,)]]
        yield opened


def _through_sqlalchemy(connection: Connection, statement: Select[Any], values: dict[str, Any]) -> Rows:
    return connection.execute(statement, values).all()


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (select(things), {}),
        (select(things.c.tags, things.c.is_new).where(things.c.tags == bindparam("tags")), {"tags": ["x", "ÿ"]}),
        (select(things.c.name).where(things.c.is_new == bindparam("is_new")), {"is_new": True}),
        (select(things.c.name, things.c.name.label("name")).order_by(things.c.id.desc()), {}),
        (select(things.c.size).where(things.c.id > bindparam("from")).limit(bindparam("most")), {"from": 0, "most": 1}),
        (select(things).where(things.c.id == bindparam("id")).with_for_update(), {"id": 3}),
    ],
    ids=["all types", "a converted parameter", "a boolean", "a name twice", "a constant of SQLAlchemy's", "no row"],
)
def test_the_rows_are_those_of_sqlalchemy(
    connection: Connection, statement: Select[Any], values: dict[str, Any]
) -> None:
    """With the types of Python that the columns have."""
    prepared = Prepared(statement)
    for _ in range(2):
        rows = prepared.execute(connection, values)
        assert [tuple(row) for row in rows] == [
            tuple(row) for row in _through_sqlalchemy(connection, statement, values)
        ]


def test_a_change_and_a_removal_return_no_rows(connection: Connection) -> None:
    """They are done all the same."""
    change = Prepared(update(things).where(things.c.id == bindparam("of")).values(tags=bindparam("new_tags")))
    assert change.execute(connection, {"of": 1, "new_tags": []}) == []
    assert Prepared(delete(things).where(things.c.id == bindparam("of"))).execute(connection, {"of": 2}) == []
    assert connection.execute(select(things.c.id, things.c.tags)).all() == [(1, [])]


def test_an_error_of_the_driver_is_sqlalchemys(connection: Connection) -> None:
    """Without the values, which may be a client's."""
    with pytest.raises(IntegrityError) as caught:
        ADD.execute(connection, FIRST | {"name": "b"})
    assert "INSERT INTO things" in str(caught.value)
    assert (caught.value.params, caught.value.hide_parameters) == (None, True)
    metadata.drop_all(connection)
    with pytest.raises(OperationalError):
        ADD.execute(connection, FIRST)


def test_a_parameter_without_a_value_is_an_error(connection: Connection) -> None:
    """It is not NULL."""
    with pytest.raises(KeyError, match="name"):
        ADD.execute(connection, {"is_new": True, "size": 1, "tags": []})


def test_a_default_of_python_is_refused(engine: Engine) -> None:
    """Nobody would compute it."""
    table = Table("others", MetaData(), Column("id", Integer, primary_key=True), Column("of", Integer, default=int))
    with engine.connect() as opened, pytest.raises(ValueError, match=r"no defaults of Python: others\.of"):
        Prepared(insert(table), ["id"]).execute(opened, {"id": 1})


class _Server:
    """A connection to another database, which notes what it gets."""

    def __init__(self) -> None:
        self.dialect = self
        self.name = "postgresql"
        self.executed: list[Any] = []
        self.returns_rows = True

    def execute(self, statement: Any, values: Any) -> "_Server":
        self.executed.append((statement, values))
        return self

    def all(self) -> list[Any]:
        return [("a",)]


def test_other_databases_get_the_statement_from_sqlalchemy() -> None:
    """And rows, or none."""
    server: Any = _Server()
    statement = select(things.c.name)
    assert Prepared(statement).execute(server, {}) == [("a",)]
    server.returns_rows = False
    assert Prepared(statement).execute(server, {}) == ()
    assert server.executed == [(statement, {})] * 2

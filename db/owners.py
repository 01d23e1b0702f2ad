"""Rows that nobody owns: those that were made before the service knew who sends requests."""

from sqlalchemy import Connection, bindparam, update

from db.schema import metadata

_assign = {
    table.name: update(table).where(table.c.owner.is_(None)).values(owner=bindparam("new_owner"))
    for table in metadata.sorted_tables
    if "owner" in table.c
}


def assign(connection: Connection, owner: str) -> dict[str, int]:
    """Give every row without an owner to this one; return how many in each table."""
    return {name: connection.execute(statement, {"new_owner": owner}).rowcount for name, statement in _assign.items()}

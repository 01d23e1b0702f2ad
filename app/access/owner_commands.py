"""`flask --app app owners …`: give rows that nobody owns to a principal."""

import re
from contextlib import closing
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.engine import URL

from app.start import DATABASE_FAULTS, database_fault
from db import owners
from db.columns import OWNER_LENGTH
from db.engine import Database

_PRINCIPAL = re.compile(r"(key|token):[ -~]+")


def owner_commands(url: URL) -> AppGroup:
    """Return the group `owners` for the database of the settings."""
    group = AppGroup("owners", help="Give rows that nobody owns to a principal (with ACCESS=secured).")

    @group.command()
    @click.argument("principal", callback=_principal)
    def assign(principal: str) -> None:
        """Give all rows without an owner to PRINCIPAL, such as key:alice."""
        try:
            with closing(Database(url)) as database:
                database.create()
                with database.write() as connection:
                    numbers = owners.assign(connection, principal)
        except DATABASE_FAULTS as error:
            raise click.ClickException(database_fault(url, error)) from None
        for table, number in numbers.items():
            click.echo(f"{table}: {number} {'row belongs' if number == 1 else 'rows belong'} to {principal} now.")

    return group


def _principal(_context: Any, _parameter: Any, value: str) -> str:
    if not _PRINCIPAL.fullmatch(value) or len(value) > OWNER_LENGTH:
        raise click.BadParameter("must be key: and the name of a key, or token: and the subject of a token.")
    return value

"""`flask --app app keys …`: create, list, replace and revoke API keys."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import Connection

from app import specification
from app.access import keys
from app.access.secret import SecretFileError, read_secret
from app.settings import Settings
from app.start import DATABASE_FAULTS, database_fault
from db import api_keys
from db.api_keys import ApiKey
from db.engine import Database
from db.resources import timestamp

_NAME = r"[A-Za-z][A-Za-z0-9._@-]{0,99}"
_HOURS = click.IntRange(0, 24 * 365 * 10)


def key_commands(settings: Settings) -> AppGroup:
    """Return the group `keys` for the database of the settings."""
    group = AppGroup("keys", help="Create, list, replace and revoke API keys (with ACCESS=secured).")

    @group.command()
    @click.argument("name", callback=_name)
    @click.option("--scope", "scopes", multiple=True, required=True, callback=_scopes, help="May be given repeatedly.")
    @click.option("--days", type=click.IntRange(1, 3650), help="For how many days the key is valid; default: no limit.")
    def create(name: str, scopes: tuple[str, ...], days: int | None) -> None:
        """Create a key for NAME, and print it once."""
        expires = None if days is None else timedelta(days=days)
        _show(new_key_for(settings, name, " ".join(scopes), expires))

    @group.command(name="list")
    def list_() -> None:
        """List all keys, without the keys themselves."""
        _list(_change(settings, api_keys.all_keys))

    @group.command()
    @click.argument("name", callback=_name)
    @click.option("--hours", type=_HOURS, default=24, show_default=True, help="For how long the old key is valid.")
    def rotate(name: str, hours: int) -> None:
        """Create a key with the same scopes for NAME; the old ones expire in a day."""
        _show(_change(settings, lambda connection: _rotate(settings, connection, name, timedelta(hours=hours))))

    @group.command()
    @click.argument("name", callback=_name)
    def revoke(name: str) -> None:
        """Make all keys of NAME invalid, within a second."""
        number = _change(settings, lambda connection: _revoke(connection, name))
        click.echo(f"{number} {'key' if number == 1 else 'keys'} of {name} revoked.")

    return group


def new_key_for(settings: Settings, name: str, scopes: str, valid: timedelta | None = None) -> str:
    """Add a key to the database, and return it."""
    key: str = _change(settings, lambda connection: _add(settings, connection, name, scopes, valid))
    return key


def _name(_context: Any, _parameter: Any, value: str) -> str:
    if not re.fullmatch(_NAME, value, re.ASCII):
        raise click.BadParameter("must begin with a letter, and have only letters, digits, and . _ @ - (at most 100).")
    return value


def _scopes(_context: Any, _parameter: Any, values: tuple[str, ...]) -> tuple[str, ...]:
    known = specification.scopes()
    for value in values:
        if value not in known:
            raise click.BadParameter(f"{value} is not in the contract, which has {', '.join(sorted(known))}.")
    return tuple(dict.fromkeys(values))


def _change(settings: Settings, function: Callable[[Connection], Any]) -> Any:
    database = Database(settings.database_url)
    try:
        database.create()
        with database.write() as connection:
            return function(connection)
    except DATABASE_FAULTS as error:
        raise click.ClickException(database_fault(settings.database_url, error)) from None
    except SecretFileError as error:
        raise click.ClickException(str(error)) from None
    finally:
        database.close()


def _add(settings: Settings, connection: Connection, name: str, scopes: str, valid: timedelta | None) -> str:
    key, now = keys.new_key(), datetime.now(UTC)
    values = {
        "name": name,
        "scopes": scopes,
        "digest": keys.digest(read_secret(settings.keys_secret_file), key),
        "hint": keys.hint(key),
        "created_at": timestamp(now),
        "expires_at": None if valid is None else timestamp(now + valid),
    }
    api_keys.add(connection, values)
    return key


def _rotate(settings: Settings, connection: Connection, name: str, overlap: timedelta) -> str:
    now = datetime.now(UTC)
    found = _current(connection, name, now)
    end = timestamp(now + overlap)
    for old in found:
        if old.expires_at is None or old.expires_at > end:
            api_keys.expire(connection, old.id, end)
    newest = found[-1]
    return _add(settings, connection, name, newest.scopes, _lifetime(newest))


def _lifetime(key: ApiKey) -> timedelta | None:
    """Return for how long a key was meant to be valid."""
    if key.expires_at is None:
        return None
    return datetime.fromisoformat(key.expires_at) - datetime.fromisoformat(key.created_at)


def _revoke(connection: Connection, name: str) -> int:
    now = datetime.now(UTC)
    found = _current(connection, name, now)
    for key in found:
        api_keys.revoke(connection, key.id, timestamp(now))
    return len(found)


def _current(connection: Connection, name: str, now: datetime) -> list[ApiKey]:
    found = api_keys.current(connection, name, timestamp(now))
    if not found:
        raise click.ClickException(f"{name} has no valid key.")
    return found


def _show(key: str) -> None:
    """Print the key alone on standard output, so that a script can take it, and the advice beside it."""
    click.echo("This key is not shown again. Send it in the header X-API-Key.", err=True)
    click.echo(key)


def _list(found: list[ApiKey]) -> None:
    now = datetime.now(UTC)
    for key in found:
        until = f"until {key.expires_at[:16]}Z" if key.expires_at else "without end"
        used = f"last used {key.last_used_at[:16]}Z" if key.last_used_at else "never used"
        click.echo(f"{key.name:20}  {key.hint}…  {keys.state(key, now):8}{until}, {used}  {key.scopes}")

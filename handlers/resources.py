"""What the handlers of all resources have in common: pages, `Location`, ETags, preconditions and 404."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from contract.problems import Problem
from contract.urls import root_path
from db.pages import Pages
from db.resources import MissingReferenceError, Position, Statements, Stored, Values
from handlers import cursors
from handlers.database import database
from handlers.owners import owner
from handlers.preconditions import etag, is_unmodified, require_preconditions

Headers = dict[str, str]
Page = tuple[list[Values], int, Headers]
Found = tuple[Values | None, int, Headers]
Written = tuple[Values, int, Headers]
Deleted = tuple[None, int]
ETags = str | None
"""A header with entity tags, or None if the client did not send it."""


class Listing:
    """The operation that lists the rows of a table, which has no owners.

    `path` is where the list is. Cursors are valid for one list alone if each has another `cursor_prefix`.
    """

    def __init__(self, path: str, pages: Pages, *, cursor_prefix: str = "") -> None:
        self.path = path
        self.pages = pages
        self.cursor_prefix = cursor_prefix

    def page(self, limit: int, sort: str, cursor: str | None, filters: Mapping[str, str | None] | None = None) -> Page:
        """One page, with the URLs of the first and the next one in `Link` (RFC 8288).

        One row more than a page is read to know whether there is a next one.
        """
        filters = filters or {}
        after = None if cursor is None else self._position(cursor, sort, filters)
        with database().read() as connection:
            found = self.pages.page(connection, sort, filters, after, limit + 1, self._owner())
        first = f"{root_path()}{self.path}?limit={limit}&sort={sort}"
        for name, value in filters.items():
            if value is not None:
                first += f"&{name}={quote(value, safe='')}"
        if len(found) <= limit:
            return found, 200, {"Link": f'<{first}>; rel="first"'}
        del found[limit:]
        following = f"{first}&cursor={self._cursor(found[-1], sort, filters)}"
        return found, 200, {"Link": f'<{first}>; rel="first", <{following}>; rel="next"'}

    def _owner(self) -> str | None:
        return None

    def _position(self, cursor: str, sort: str, filters: Mapping[str, str | None]) -> Position:
        kind = self.pages.sort[sort.removeprefix("-")]
        return cursors.decode(cursor, self.cursor_prefix + sort, _filter(filters), kind)

    def _cursor(self, last: Values, sort: str, filters: Mapping[str, str | None]) -> str:
        position = Position(last[sort.removeprefix("-")], last["id"])
        return cursors.encode(self.cursor_prefix + sort, _filter(filters), position)


class Resource(Listing):
    """The operations of one resource, on the statements of its table: each request has the rows of its owner.

    `noun` names one of them in messages to clients.
    """

    def __init__(self, noun: str, path: str, statements: Statements, *, cursor_prefix: str = "") -> None:
        super().__init__(path, statements, cursor_prefix=cursor_prefix)
        self.noun = noun
        self.statements = statements

    def create(self, values: Values) -> Written:
        """Add one; `values` are all that the service does not fill in itself."""
        with database().write() as connection:
            try:
                stored = self.statements.add(connection, values, owner())
            except MissingReferenceError as error:
                raise _missing(error) from None
        location = f"{root_path()}{self.path}/{stored.body['id']}"
        return stored.body, 201, {"Location": location, "ETag": etag(stored.version)}

    def get(self, row_id: int, if_match: ETags, if_none_match: ETags) -> Found:
        """Return one, or 304 if the client has this version."""
        with database().read() as connection:
            found = self.statements.find(connection, row_id, owner())
        stored = self._existing(found, row_id)
        if is_unmodified(stored.version, if_match, if_none_match):
            return None, 304, {"ETag": etag(stored.version)}
        return _written(stored)

    def change(self, row_id: int, values: Values, if_match: ETags, if_none_match: ETags) -> Written:
        """Give one other values; without any, not even its version changes."""
        whose = owner()
        with database().write() as connection:
            stored = self._existing(self.statements.find_for_update(connection, row_id, whose), row_id)
            require_preconditions(stored.version, if_match, if_none_match)
            if not values:
                return _written(stored)
            try:
                return _written(self.statements.change(connection, stored, values, whose))
            except MissingReferenceError as error:
                raise _missing(error) from None

    def delete(self, row_id: int, if_match: ETags, if_none_match: ETags) -> Deleted:
        """Remove one."""
        whose = owner()
        with database().write() as connection:
            stored = self._existing(self.statements.find_for_update(connection, row_id, whose), row_id)
            require_preconditions(stored.version, if_match, if_none_match)
            self.statements.remove(connection, row_id, whose)
        return None, 204

    def _existing(self, stored: Stored | None, row_id: int) -> Stored:
        if stored is None:
            raise Problem(404, f"There is no {self.noun} {row_id}.")
        return stored

    def _owner(self) -> str | None:
        return owner()


def _filter(filters: Mapping[str, str | None]) -> Any:
    """The filters as a cursor has them: a single one without a list around it."""
    values = [*filters.values()]
    return values if len(values) > 1 else values[0] if values else None


def _written(stored: Stored) -> Written:
    return stored.body, 200, {"ETag": etag(stored.version)}


def _missing(error: MissingReferenceError) -> Problem:
    return Problem(409, f"/{error.column}: /{error.table}/{error.row_id} does not exist.")

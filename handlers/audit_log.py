"""Operations with the tag `audit_log`, which the contract has only if access is secured."""

from db.audit import ENTRIES
from handlers.resources import Listing, Page

_entries = Listing("/audit-log", ENTRIES, cursor_prefix="audit_log.")


def list_audit_entries(
    limit: int, sort: str, cursor: str | None = None, principal: str | None = None, resource: str | None = None
) -> Page:
    """List entries of the audit log; `Link` has the next page."""
    return _entries.page(limit, sort, cursor, {"principal": principal, "resource": resource})

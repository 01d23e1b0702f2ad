"""Whose rows a request reads and changes: those of the principal that sent it, if access is secured."""

from contract import application, principal

EXTENSION = "owners"
"""Whether rows have owners."""
NOBODY = ""
"""The owner of what requests without a principal create, while rows have owners. No principal has this id."""


def owner() -> str | None:
    """The owner of the rows that the present request works on; None for all rows, if rows have no owners."""
    present = principal()
    if present is not None:
        return present.id
    return NOBODY if application().extensions.get(EXTENSION) else None

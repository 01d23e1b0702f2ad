"""How operations end: one may be removed once its `x-sunset` has passed, and clients can rely on the date."""

from collections.abc import Iterator
from datetime import UTC, datetime

from tools.contract_diff.changes import Change
from tools.contract_diff.documents import Node

_FIELD = "x-sunset"


def removal(where: str, operation: Node, now: datetime) -> Change:
    """Return the removal of an operation: refused before its date, and breaking if it has none."""
    sunset = _sunset(operation)
    if sunset is None:
        return Change(breaks=True, where=where, text="is gone", position=operation.position)
    if sunset > now:
        text = f"is gone before its {_FIELD}, {operation[_FIELD].value}"
        return Change(breaks=True, where=where, text=text, position=operation[_FIELD].position, refused=True)
    text = f"is gone after its {_FIELD}, {operation[_FIELD].value}"
    return Change(breaks=False, where=where, text=text, position=operation.position)


def retirement_changes(where: str, was: Node, now: Node) -> Iterator[Change]:
    """Compare when an operation is deprecated, and when it may be removed. An earlier date breaks clients."""
    if now["deprecated"].is_true and not was["deprecated"].is_true:
        yield Change(breaks=False, where=where, text="is deprecated", position=now["deprecated"].position)
    before, after = _sunset(was), _sunset(now)
    if before != after:
        text = f"{_FIELD} was {was[_FIELD].value}, is {now[_FIELD].value}"
        is_earlier = before is not None and after is not None and after < before
        yield Change(is_earlier, where, text, (now if after else was)[_FIELD].position, refused=is_earlier)


def _sunset(operation: Node) -> datetime | None:
    """Return the date of a deprecated operation, which begins in UTC; None without a valid one."""
    if not operation["deprecated"].is_true or not operation[_FIELD].exists:
        return None
    try:
        found = datetime.fromisoformat(str(operation[_FIELD].value).upper())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)

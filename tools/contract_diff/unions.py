"""How `oneOf` and `anyOf` differ: branches are matched by name, then by content, then by order."""

from collections.abc import Callable, Iterator

from tools.contract_diff.documents import Node, same
from tools.contract_diff.keywords import Difference, Kind
from tools.contract_diff.schema import Pair, Schema, Union

FEWER = {Kind.NARROWER, Kind.OTHER, Kind.LOST_PROPERTY}
MORE = {Kind.WIDER, Kind.OTHER, Kind.NEW_PROPERTY}
Compare = Callable[[Schema, Schema], Iterator[Difference]]


def against_plain(pair: Pair, compare: Compare) -> list[Difference] | None:
    """Compare a union with a schema that has none, branch by branch.

    None if there is no such pair, or if no branch is known to include the other side or to be included in it.
    """
    was, now = pair.was, pair.now
    if len(was.unions) + len(now.unions) != 1:
        return None
    (union,) = [*was.unions, *now.unions]
    pairs = [(one, now) for one in was.alternatives()] if was.unions else [(was, one) for one in now.alternatives()]
    kinds = [{found.kind for found in compare(*sides)} for sides in pairs]
    without_fewer = [not found & FEWER for found in kinds]
    without_more = [not found & MORE for found in kinds]
    if was.unions:
        fewer, more = not all(without_fewer), not any(without_more)
    else:
        fewer, more = not any(without_fewer), not all(without_more)
    if fewer and more:
        return None
    change = Kind.NARROWER if fewer else Kind.WIDER if more else Kind.HINT
    return [Difference(change, f"{union.keyword} is {'gone' if was.unions else 'new'}", union.position)]


def differences(pair: Pair) -> Iterator[Difference | Pair]:
    """Compare unions in the order in which the schemas have them."""
    _, was, now, _ = pair
    for before, after in zip(was.unions, now.unions, strict=False):
        if before.keyword != after.keyword:
            change = Kind.NARROWER if after.keyword == "oneOf" else Kind.WIDER
            yield Difference(change, f"{before.keyword} is {after.keyword} now", after.position)
        yield from _branches(pair, before, after)
    shared = min(len(was.unions), len(now.unions))
    for union in was.unions[shared:]:
        yield Difference(Kind.WIDER, f"{union.keyword} is gone", union.position)
    for union in now.unions[shared:]:
        yield Difference(Kind.NARROWER, f"{union.keyword} is new", union.position)


def _branches(pair: Pair, was: Union, now: Union) -> Iterator[Difference | Pair]:
    before, after = list(was.branches), list(now.branches)
    for fits in (_are_named_alike, same, _are_unnamed):
        for old in list(before):
            new = next((branch for branch in after if fits(old, branch)), None)
            if new is not None:
                before.remove(old)
                after.remove(new)
                yield pair.below(_path(now, new), Schema.of(old), Schema.of(new))
    for branch in before:
        yield Difference(Kind.NARROWER, "is gone", branch.position, _path(was, branch))
    for branch in after:
        yield Difference(Kind.WIDER, "is new", branch.position, _path(now, branch))


def _path(union: Union, branch: Node) -> str:
    number = next(number for number, other in enumerate(union.branches) if other is branch)
    return f"({union.keyword} {_name(branch) or number})"


def _name(branch: Node) -> str:
    target = branch.referenced()
    return target.name if target else ""


def _are_named_alike(one: Node, other: Node) -> bool:
    return bool(_name(one)) and _name(one) == _name(other)


def _are_unnamed(one: Node, other: Node) -> bool:
    return not _name(one) and not _name(other)

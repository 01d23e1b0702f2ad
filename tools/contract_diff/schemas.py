"""How one schema differs from another, property by property: whether it allows fewer values, or more."""

from collections import deque
from collections.abc import Iterator
from functools import partial

from tools.contract_diff import keywords, unions
from tools.contract_diff.documents import Node, same
from tools.contract_diff.keywords import Difference, Kind
from tools.contract_diff.schema import Pair, Schema

DEEPEST = 2
"""How many unions below each other are tried branch by branch; more would take too long."""
Known = dict[object, list["Difference | Pair"]]
_INVERTED = {Kind.NARROWER: Kind.WIDER, Kind.WIDER: Kind.NARROWER}
_NOT_OF_VALUES = {Kind.DEFAULT, Kind.NAME, Kind.HINT}


def compare(
    was: Schema, now: Schema, *, is_response: bool, known: Known | None = None, depth: int = 0
) -> Iterator[Difference]:
    """Everything that `now` says differently. Each pair of schemas is compared once, so recursive ones end.

    What pairs have below them is kept in `known`, for the next call with schemas of the same two contracts.
    """
    known = {} if known is None else known
    pending, seen = deque([Pair("", was, now)]), set[object]()
    while pending:
        pair = pending.popleft()
        if pair.key in seen:
            continue
        seen.add(pair.key)
        key = pair.key, pair.was.position(), pair.now.position(), is_response, depth
        if key not in known:
            known[key] = list(_compare(pair, is_response=is_response, known=known, depth=depth))
        for found in known[key]:
            located = found._replace(path=_joined(pair.path, found.path))
            if isinstance(located, Pair):
                pending.append(located)
            elif not pair.is_inverted:
                yield located
            elif located.kind not in _NOT_OF_VALUES:
                yield located._replace(kind=_INVERTED.get(located.kind, Kind.OTHER))


def _joined(path: str, below: str) -> str:
    """The path of something below a path: a property, `[]`, or a remark in brackets."""
    sign = "" if not path or not below or below.startswith("[") else " " if below.startswith("(") else "."
    return f"{path}{sign}{below}"


def _compare(pair: Pair, *, is_response: bool, known: Known, depth: int) -> Iterator[Difference | Pair]:
    """The differences of one pair of schemas, and the pairs below it; their paths begin here."""
    _, was, now, _ = pair
    if was.is_never or now.is_never:
        if was.is_never != now.is_never:
            text = "no value is allowed" if now.is_never else "values are allowed"
            yield Difference(Kind.NARROWER if now.is_never else Kind.WIDER, text, now.position())
        return
    yield from _name(was, now)
    branch_compare = partial(compare, is_response=is_response, known=known, depth=depth + 1)
    union = unions.against_plain(pair, branch_compare) if depth < DEEPEST else None
    if union is not None:
        yield from union
        return
    yield from keywords.differences(was, now)
    types = was.types() & now.types()
    if "array" in types and (was.first("items") or now.first("items")):
        yield pair.below("[]", was.child("items"), now.child("items"))
    if "object" in types:
        yield from _properties(pair, is_response=is_response)
    yield from unions.differences(pair)
    yield from _negations(pair)
    yield from _discriminators(pair)


def _properties(pair: Pair, *, is_response: bool) -> Iterator[Difference | Pair]:
    hidden = "writeOnly" if is_response else "readOnly"
    sides = was, now = pair.was, pair.now
    every = was.properties(), now.properties()
    before, after = ({name: s for name, s in side.items() if not s.flag(hidden)} for side in every)
    rest = was.child("additionalProperties"), now.child("additionalProperties")
    yield from _rest(pair, *rest)
    for name, schema in before.items():
        if name in after:
            yield pair.below(name, schema, after[name])
        elif is_response or rest[1].is_never:
            yield Difference(Kind.LOST_PROPERTY, "is gone", every[1].get(name, schema).position(), name)
        elif rest[1].is_any:
            yield Difference(Kind.WIDER, "is gone; any value is allowed", schema.position(), name)
        else:
            yield pair.below(name, schema, rest[1])
    for name, schema in after.items():
        if name not in before:
            yield Difference(Kind.NEW_PROPERTY, "is new", schema.position(), name)
            if not rest[0].is_any and not rest[0].is_never:
                yield pair.below(name, rest[0], schema)
    required = [
        {name: node for name, node in side.required().items() if name not in named or name in shown}
        for side, named, shown in zip(sides, every, (before, after), strict=True)
    ]
    yield from _required(*required)


def _rest(pair: Pair, was: Schema, now: Schema) -> Iterator[Difference | Pair]:
    """What a property must be that is not named. Clients ignore properties that they do not know."""
    position = keywords.position(pair.was, pair.now, "additionalProperties")
    if was.is_never and not now.is_never:
        yield Difference(Kind.NEW_PROPERTY, "allows properties that are not named", position)
    elif now.is_never and not was.is_never:
        yield Difference(Kind.NARROWER, "allows only properties that are named", position)
    elif not was.is_never:
        yield pair.below("*", was, now)


def _required(was: dict[str, Node], now: dict[str, Node]) -> Iterator[Difference]:
    for name in [*now, *(name for name in was if name not in now)]:
        if name not in was:
            yield Difference(Kind.NARROWER, "is required", now[name].position, name)
        elif name not in now:
            yield Difference(Kind.WIDER, "is no longer required", was[name].position, name)


def _name(was: Schema, now: Schema) -> Iterator[Difference]:
    """Generators make classes of named objects and enums."""
    if was.name and now.name and was.name != now.name and (was.first("enum") or was.first("properties")):
        text = f"the schema {was.name} is called {now.name}"
        yield Difference(Kind.NAME, text, now.position())


def _negations(pair: Pair) -> Iterator[Difference | Pair]:
    before, after = pair.was.children("not"), pair.now.children("not")
    gone = [node for node in before if not any(same(node, other) for other in after)]
    new = [node for node in after if not any(same(node, other) for other in before)]
    if len(gone) == len(new):
        for old, other in zip(gone, new, strict=True):
            yield Pair("(not)", Schema.of(old), Schema.of(other), not pair.is_inverted)
    else:
        change = keywords.kind(fewer=bool(new), more=bool(gone))
        text = f"not is {'another' if gone and new else 'new' if new else 'gone'}"
        yield Difference(change, text, keywords.position(pair.was, pair.now, "not"))


def _discriminators(pair: Pair) -> Iterator[Difference | Pair]:
    was, now = pair.was.first("discriminator"), pair.now.first("discriminator")
    position = keywords.position(pair.was, pair.now, "discriminator")
    if was is None or now is None:
        if was is not now:
            change = Kind.WIDER if now is None else Kind.HINT
            yield Difference(change, f"discriminator is {'gone' if now is None else 'new'}", position)
        return
    names = was["propertyName"].text("none"), now["propertyName"].text("none")
    if names[0] != names[1]:
        yield Difference(Kind.OTHER, f"discriminator was {names[0]}, is {names[1]}", position)
    before, after = _mapping(was), _mapping(now)
    for value in [*before, *(value for value in after if value not in before)]:
        path = f"(discriminator {value})"
        if value in before and value in after:
            yield pair.below(path, Schema.of(before[value]), Schema.of(after[value]))
        elif value in before:
            yield Difference(Kind.NARROWER, "is gone", before[value].position, path)
        else:
            yield Difference(Kind.WIDER, "is new", after[value].position, path)


def _mapping(discriminator: Node) -> dict[str, Node]:
    """The schema of each value, apart from values that are the schema's own name, which need no mapping."""
    found = {}
    for value, target in discriminator["mapping"].items().items():
        text = target.text()
        is_reference = any(sign in text for sign in "#/.")
        reference = text if is_reference else f"#/components/schemas/{text}"
        if reference.rpartition("/")[2] != value:
            found[value] = Node({"$ref": reference}, target.file, target.line, target.contract)
    return found

"""One change of a contract, and which differences of schemas break clients."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

from tools.contract_diff.documents import Node, Position, same
from tools.contract_diff.keywords import Kind
from tools.contract_diff.schema import Schema
from tools.contract_diff.schemas import compare

Value = TypeVar("Value")
SENT_BREAKS = {Kind.NARROWER, Kind.OTHER, Kind.LOST_PROPERTY, Kind.DEFAULT, Kind.NAME}
RECEIVED_BREAKS = {Kind.WIDER, Kind.OTHER, Kind.LOST_PROPERTY, Kind.NAME}
"""What breaks clients in what they send and in what they receive. They ignore properties that they do not know."""


class Change(NamedTuple):
    """One change: whether it breaks clients, the operation and the part of it, what it is, and the line.

    What is `refused` breaks a promise, which no new version allows.
    """

    breaks: bool
    where: str
    text: str
    position: Position
    refused: bool = False

    def __str__(self) -> str:
        verdict = "refused" if self.refused else "breaking" if self.breaks else "compatible"
        return f"{self.position} {verdict:10} {self.where}: {self.text}"


def lost_and_new(where: str, what: str, was: Mapping[str, Node], now: Mapping[str, Node]) -> Iterator[Change]:
    """What is gone, which breaks clients, and what is new, which does not."""
    for name in only(was, now):
        yield Change(breaks=True, where=where, text=f"{what} {name} is gone", position=was[name].position)
    for name in only(now, was):
        yield Change(breaks=False, where=where, text=f"{what} {name} is new", position=now[name].position)


def only(one: Mapping[str, Value], other: Mapping[str, Value]) -> list[str]:
    """The keys of one mapping that the other does not have."""
    return [key for key in one if key not in other]


def shared(one: Mapping[str, Value], other: Mapping[str, Value]) -> list[str]:
    """The keys of both mappings."""
    return [key for key in one if key in other]


def required_changes(where: str, was: Node, now: Node, *, is_sent: bool) -> Iterator[Change]:
    """What must be sent breaks clients that did not; what may be missing breaks those that rely on it."""
    before, after = was["required"].is_true, now["required"].is_true
    if before != after:
        text = "is required" if after else "is no longer required"
        position = (now if now["required"].exists else was)["required"].position
        yield Change(after == is_sent, where, text, position)


def schema_changes(where: str, was: Node, now: Node, *, is_sent: bool) -> Iterator[Change]:
    """Compare the schemas of a parameter, a header or a media type."""
    breaking = SENT_BREAKS if is_sent else RECEIVED_BREAKS
    schemas = Schema.of(was["schema"]), Schema.of(now["schema"])
    known = now.contract.known.setdefault(was.contract, {})
    for found in compare(*schemas, is_response=not is_sent, known=known):
        place = f"{where}, {found.path}" if found.path else where
        yield Change(found.kind in breaking, place, found.text, found.position)


def content_changes(where: str, was: Node, now: Node, *, is_sent: bool) -> Iterator[Change]:
    """Compare the media types of a body, a response, a parameter or a header."""
    before, after = (_media_types(side) for side in (was, now))
    covered = {name: cover for name in only(before, after) if is_sent and (cover := _range(name, after))}
    yield from lost_and_new(where, "media type", {name: before[name] for name in before if name not in covered}, after)
    for name in [*shared(before, after), *covered]:
        at = where if len(before) == len(after) == 1 else f"{where} {name}"
        pair = before[name], after[covered.get(name, name)]
        yield from schema_changes(at, *pair, is_sent=is_sent)
        yield from _encoding_changes(at, *pair)


def _media_types(node: Node) -> dict[str, Node]:
    return {name.lower().replace(" ", ""): media_type for name, media_type in node["content"].items().items()}


def _range(name: str, others: Mapping[str, Node]) -> str | None:
    """The media range that includes a media type (RFC 9110 §12.5.1)."""
    return next((other for other in (f"{name.partition('/')[0]}/*", "*/*") if other in others), None)


def _encoding_changes(where: str, was: Node, now: Node) -> Iterator[Change]:
    """How the parts of a form are written."""
    before, after = was["encoding"].items(), now["encoding"].items()
    for name in [*before, *only(after, before)]:
        sides = [side.get(name) for side in (before, after)]
        if sides[0] is None or sides[1] is None or not same(sides[0], sides[1]):
            position = next(side for side in reversed(sides) if side is not None).position
            yield Change(breaks=True, where=f"{where}, {name}", text="is encoded in another form", position=position)

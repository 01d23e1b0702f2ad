"""How the keywords of a schema differ that say something about one value: types, lists of values, limits, defaults."""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple

from tools.contract_diff.documents import Position, same, same_value
from tools.contract_diff.numbers import NO_BOUND
from tools.contract_diff.patterns import includes
from tools.contract_diff.schema import SILENT, TYPES, Schema

_TEXT, _NUMBER = frozenset({"string"}), frozenset({"integer", "number"})
_APPLIES = {
    **dict.fromkeys(("minLength", "maxLength", "pattern"), _TEXT),
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), _NUMBER),
    **dict.fromkeys(("minItems", "maxItems", "uniqueItems"), frozenset({"array"})),
    **dict.fromkeys(("minProperties", "maxProperties"), frozenset({"object"})),
    "format": _TEXT | _NUMBER,
}
"""The types that a keyword limits; it says nothing about values of others."""
_MINIMA = ("minLength", "minItems", "minProperties")
_MAXIMA = ("maxLength", "maxItems", "maxProperties")
_STRUCTURE = {"$ref", "properties", "required", "additionalProperties", "items", "not", "discriminator"}
_COMPARED = {*_APPLIES, *_STRUCTURE, "type", "nullable", "enum", "const", "default",
             "exclusiveMinimum", "exclusiveMaximum", "allOf", "oneOf", "anyOf"}  # fmt: skip
_WIDER_FORMATS = {("int32", "int64"), ("float", "double")}
_HINTS = {"password", "binary", "byte"}
"""Formats that do not limit the value (OpenAPI 3.0.3, Data Types)."""
_EVERY_LINE = re.compile(r"\^(\.\*\??|\(\.\*\))\$")
"""Patterns that are meant to match every text, although they exclude line breaks."""


class Kind(Enum):
    """What a difference does to the values that a schema allows, or to those who use it."""

    NARROWER = "fewer values"
    WIDER = "more values"
    OTHER = "other values"
    LOST_PROPERTY = "a property is gone"
    NEW_PROPERTY = "a property is new, or may be"
    DEFAULT = "another default"
    NAME = "another name"
    HINT = "the same values"


class Difference(NamedTuple):
    """One difference, and its path in a schema (properties with dots between them; `[]` is an array's element)."""

    kind: Kind
    text: str
    position: Position
    path: str = ""


def differences(was: Schema, now: Schema) -> Iterator[Difference]:
    """Everything that the keywords of one value say differently."""
    yield from _types(was, now)
    yield from _enum(was, now)
    yield from _lengths(was, now)
    yield from _numbers(was, now)
    yield from _texts(was, now)
    yield from _unknown(was, now)


def kind(*, fewer: bool, more: bool) -> Kind:
    """What it is to lose values, to gain values, or both."""
    if fewer and more:
        return Kind.OTHER
    return Kind.NARROWER if fewer else Kind.WIDER


def position(was: Schema, now: Schema, keyword: str) -> Position:
    """The line of a keyword in the new contract, or in the old one if it is gone."""
    return was.position(keyword) if was.first(keyword) and not now.first(keyword) else now.position(keyword)


def _types(was: Schema, now: Schema) -> Iterator[Difference]:
    before, after = was.types(), now.types()
    if before != after:
        text = f"type was {_type_names(before)}, is {_type_names(after)}"
        change = kind(fewer=bool(before - after), more=bool(after - before))
        keyword = next((word for word in ("type", "nullable", "enum") if _moved(was, now, word)), "type")
        yield Difference(change, text, position(was, now, keyword))


def _moved(was: Schema, now: Schema, keyword: str) -> bool:
    return [node.value for node in was.children(keyword)] != [node.value for node in now.children(keyword)]


def _type_names(types: frozenset[str]) -> str:
    shown = sorted(types - ({"integer"} if "number" in types else set()))
    return "any" if types == TYPES else " or ".join(shown) or "none"


def _enum(was: Schema, now: Schema) -> Iterator[Difference]:
    before, after = was.enum(), now.enum()
    where = position(was, now, "enum" if was.first("enum") or now.first("enum") else "const")
    if before is None or after is None:
        if before is not after:
            change = Kind.WIDER if after is None else Kind.NARROWER
            yield Difference(change, f"enum is {'gone' if after is None else 'new'}", where)
        return
    for value in _only(before, after):
        yield Difference(Kind.NARROWER, f"the value {value!r} is gone", where)
    for value in _only(after, before):
        yield Difference(Kind.WIDER, f"the value {value!r} is new", where)


def _only(values: list[Any], others: list[Any]) -> list[Any]:
    return [value for value in values if not any(same_value(value, other) for other in others)]


def _lengths(was: Schema, now: Schema) -> Iterator[Difference]:
    for keyword in _applying(was, now, _MINIMA):
        low = [side.number(keyword, max) or 0 for side in (was, now)]
        yield from _limit(keyword, (was, now), fewer=low[1] > low[0], more=low[1] < low[0])
    for keyword in _applying(was, now, _MAXIMA):
        found = [side.number(keyword, min) for side in (was, now)]
        high = [float("inf") if number is None else number for number in found]
        yield from _limit(keyword, (was, now), fewer=high[1] < high[0], more=high[1] > high[0])
    for keyword in _applying(was, now, ("uniqueItems",)):
        unique = was.flag(keyword), now.flag(keyword)
        yield from _limit(keyword, (was, now), fewer=unique[1] > unique[0], more=unique[1] < unique[0])


def _numbers(was: Schema, now: Schema) -> Iterator[Difference]:
    for keyword in _applying(was, now, ("minimum", "maximum")):
        bounds = was.bound(keyword), now.bound(keyword)
        if bounds[0] != bounds[1]:
            text = f"{keyword} was {_bound(was, keyword)}, is {_bound(now, keyword)}"
            change = Kind.NARROWER if bounds[1] > bounds[0] else Kind.WIDER
            exclusive = f"exclusive{keyword.capitalize()}"
            moved = exclusive if _moved(was, now, exclusive) and not _moved(was, now, keyword) else keyword
            yield Difference(change, text, position(was, now, moved))
    for keyword in _applying(was, now, ("multipleOf",)):
        step = was.multiple_of(), now.multiple_of()
        if step[0] != step[1]:
            fewer = step[1] is not None and (step[0] is None or step[0] % step[1] != 0)
            more = step[0] is not None and (step[1] is None or step[1] % step[0] != 0)
            yield from _limit(keyword, (was, now), fewer=fewer, more=more)


def _bound(schema: Schema, keyword: str) -> str:
    bound = schema.bound(keyword)
    if bound == NO_BOUND:
        return "none"
    value = bound.value if keyword == "minimum" else -bound.value
    return f"{value} (exclusive)" if bound.exclusive else str(value)


def _texts(was: Schema, now: Schema) -> Iterator[Difference]:
    """Patterns, formats (some are known to include others) and the default."""
    for keyword in _applying(was, now, ("pattern",)):
        before, after = _patterns(was), _patterns(now)
        if before != after:
            fewer, more = not _include(after, before), not _include(before, after)
            yield from _limit(keyword, (was, now), fewer=fewer, more=more)
    for keyword in _applying(was, now, ("format",)):
        before, after = _formats(was), _formats(now)
        if before != after:
            fewer = not any((old, new) in _WIDER_FORMATS for old in before for new in after)
            more = not any((new, old) in _WIDER_FORMATS for old in before for new in after)
            yield from _limit(keyword, (was, now), fewer=fewer and bool(after), more=more and bool(before))
    before_and_after = [node.value if node else None for node in (was.first("default"), now.first("default"))]
    if not same_value(*before_and_after):
        yield Difference(Kind.DEFAULT, _was_is("default", was, now), position(was, now, "default"))


def _patterns(schema: Schema) -> set[str]:
    """All patterns that a text has to match; without any, the empty one, which matches every text."""
    return {node.text() for node in schema.children("pattern")} or {""}


def _include(wider: set[str], narrower: set[str]) -> bool:
    """Whether each of the wider patterns includes one of the narrower ones."""
    return all(any(_includes(one, other) for other in narrower) for one in wider)


def _includes(wider: str, narrower: str) -> bool:
    is_every_line = narrower != "" and _EVERY_LINE.fullmatch(wider)
    return bool(is_every_line) or includes(wider, narrower)


def _formats(schema: Schema) -> set[str]:
    return {node.text() for node in schema.children("format")} - _HINTS - {""}


def _unknown(was: Schema, now: Schema) -> Iterator[Difference]:
    """What is not known here cannot be compared, only told apart."""
    known = _COMPARED - {"$ref"} | SILENT  # a `$ref` that is left leads nowhere
    for keyword in sorted({*was.keywords(), *now.keywords()} - known):
        before, after = was.children(keyword), now.children(keyword)
        if len(before) != len(after) or not all(map(same, before, after)):
            change = kind(fewer=bool(after), more=bool(before))
            yield Difference(change, _was_is(keyword, was, now), position(was, now, keyword))


def _applying(was: Schema, now: Schema, keywords: tuple[str, ...]) -> list[str]:
    shared = was.types() & now.types()
    return [keyword for keyword in keywords if shared & _APPLIES[keyword]]


def _limit(keyword: str, sides: tuple[Schema, Schema], *, fewer: bool, more: bool) -> Iterator[Difference]:
    if fewer or more:
        text = _was_is(keyword, *sides)
        yield Difference(kind(fewer=fewer, more=more), text, position(*sides, keyword))


def _was_is(keyword: str, was: Schema, now: Schema) -> str:
    return f"{keyword} was {_shown(was, keyword)}, is {_shown(now, keyword)}"


def _shown(schema: Schema, keyword: str) -> str:
    """The keyword's values; a long one is cut."""
    text = " and ".join(str(node.value) for node in schema.children(keyword)) or "none"
    return text if len(text) <= 200 else f"{text[:200]}…"

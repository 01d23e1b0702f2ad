"""How one schema differs from another: whether it lets fewer values through, or more, member by member."""

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import reduce
from typing import Any, NamedTuple

from contract.schemas import resolve

Schema = Mapping[str, Any]
Pairs = frozenset[tuple[str, str]]
_ANY: Schema = {}
_NEVER: Schema = {"not": {}}
_TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})
_MINIMA = {"minLength": 0, "minItems": 0, "minProperties": 0}
_MAXIMA = ("maxLength", "maxItems", "maxProperties")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_BRANCHES = ("oneOf", "anyOf")
_COMPARED = {"$ref", "type", "nullable", "enum", "required", "properties", "additionalProperties", "items", "allOf",
             "multipleOf", "uniqueItems", "default", *_MINIMA, *_MAXIMA, *_BOUNDS, *_BRANCHES}  # fmt: skip
# What says nothing about values. readOnly and writeOnly decide whether a member is there at all.
_SILENT = {"title", "description", "example", "externalDocs", "deprecated", "xml", "readOnly", "writeOnly"}


class Kind(Enum):
    """What a difference does to the values that a schema lets through, or to those who use it."""

    NARROWER = "fewer values"
    WIDER = "more values"
    OTHER = "other values"
    LOST_MEMBER = "a member is gone"
    NEW_MEMBER = "a member is new"
    DEFAULT = "another default"
    NAME = "another name"


class Difference(NamedTuple):
    """One difference, at one place of a schema (members with dots between them; `[]` is an array's element)."""

    place: str
    kind: Kind
    text: str


class Comparison:
    """Compares schemas of two documents as they are in requests, or as they are in responses."""

    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any], *, response: bool) -> None:
        self.documents = old, new
        self.is_response = response
        self.left_out = "writeOnly" if response else "readOnly"

    def differences(self, old: Schema, new: Schema, place: str = "", seen: Pairs = frozenset()) -> Iterator[Difference]:
        """Everything that `new` has otherwise than `old`. Schemas that contain themselves are compared once."""
        pair = str(old.get("$ref")), str(new.get("$ref"))
        if pair in seen:
            return
        if "$ref" in old and "$ref" in new:
            seen |= {pair}
        was, now = self._flat(0, old), self._flat(1, new)
        yield from _name(place, old, new, was)
        yield from _types(place, was, now)
        yield from _enum(place, was, now)
        yield from _limits(place, was, now)
        yield from _other_keywords(place, was, now)
        yield from self._items(place, was, now, seen)
        yield from self._members(place, was, now, seen)
        for keyword in _BRANCHES:
            yield from self._branches(place, keyword, (was, now), seen)

    def _flat(self, side: int, schema: Schema) -> dict[str, Any]:
        """The schema with references followed, `allOf` merged and `nullable` among the types."""
        schema = resolve(self.documents[side], schema)
        flat = {keyword: value for keyword, value in schema.items() if keyword not in ("allOf", "nullable", "type")}
        if "type" in schema:
            null = {"null"} if schema.get("nullable") else set[str]()
            flat["type"] = frozenset({schema["type"]} | null | ({"integer"} if schema["type"] == "number" else set()))
        if "enum" in flat and schema.get("nullable"):
            flat["enum"] = [*flat["enum"], None]
        return reduce(_merged, [self._flat(side, part) for part in schema.get("allOf", ())], flat)

    def _items(self, place: str, was: Schema, now: Schema, seen: Pairs) -> Iterator[Difference]:
        if "items" in was or "items" in now:
            yield from self.differences(was.get("items", _ANY), now.get("items", _ANY), f"{place}[]", seen)

    def _members(self, place: str, was: Schema, now: Schema, seen: Pairs) -> Iterator[Difference]:
        before, after = self._present(0, was), self._present(1, now)
        rest = _rest(was), _rest(now)
        if rest[0] != rest[1]:
            if rest[0] == _NEVER:
                yield Difference(place, Kind.WIDER, "takes members that are not named")
            elif rest[1] == _NEVER:
                yield Difference(place, Kind.NARROWER, "takes no members but those that are named")
            else:
                yield from self.differences(*rest, f"{place}.*".lstrip("."), seen)
        for name in [*before, *(name for name in after if name not in before)]:
            at = f"{place}.{name}".lstrip(".")
            required = name in was.get("required", ()), name in now.get("required", ())
            if name not in after:
                if self.is_response or rest[1] == _NEVER:
                    yield Difference(at, Kind.LOST_MEMBER, "is gone")
                else:
                    yield from self.differences(before[name], rest[1], at, seen)
                continue
            if name in before:
                yield from self.differences(before[name], after[name], at, seen)
            else:
                yield Difference(at, Kind.NEW_MEMBER, "is new")
                if rest[0] != _NEVER:
                    yield from self.differences(rest[0], after[name], at, seen)
            if required == (False, True):
                yield Difference(at, Kind.NARROWER, "is required")
            if required == (True, False):
                yield Difference(at, Kind.WIDER, "is no longer required")

    def _present(self, side: int, schema: Schema) -> dict[str, Schema]:
        members = schema.get("properties", {})
        return {name: member for name, member in members.items() if not self._flat(side, member).get(self.left_out)}

    def _branches(self, place: str, keyword: str, sides: tuple[Schema, Schema], seen: Pairs) -> Iterator[Difference]:
        before, after = (_named(side.get(keyword, ())) for side in sides)
        if not before or not after:
            if before or after:
                yield Difference(
                    place, Kind.NARROWER if after else Kind.WIDER, f"{keyword} is {'new' if after else 'gone'}"
                )
            return
        for name in [*before, *(name for name in after if name not in before)]:
            at = f"{place} ({keyword} {name})".lstrip()
            if name in before and name in after:
                yield from self.differences(before[name], after[name], at, seen)
            else:
                yield Difference(at, *((Kind.NARROWER, "is gone") if name in before else (Kind.WIDER, "is new")))


def _rest(schema: Schema) -> Schema:
    """What a member must be that is not named."""
    additional = schema.get("additionalProperties", True)
    return {True: _ANY, False: _NEVER}[additional] if isinstance(additional, bool) else additional


def _named(branches: Any) -> dict[str, Schema]:
    return {str(branch.get("$ref", number)).rpartition("/")[2]: branch for number, branch in enumerate(branches)}


def _name(place: str, old: Schema, new: Schema, was: Schema) -> Iterator[Difference]:
    """Generators make classes of named objects and enums."""
    names = [_class(schema) for schema in (old, new)]
    if None not in names and names[0] != names[1] and ("enum" in was or "properties" in was):
        yield Difference(place, Kind.NAME, f"the schema {names[0]} is called {names[1]}")


def _class(schema: Schema) -> str | None:
    parts = schema.get("allOf", ())
    reference = schema.get("$ref") or (parts[0].get("$ref") if len(parts) == 1 else None)
    return reference and reference.rpartition("/")[2]


def _types(place: str, was: Schema, now: Schema) -> Iterator[Difference]:
    before, after = was.get("type", _TYPES), now.get("type", _TYPES)
    if before != after:
        text = f"type was {_type_names(before)}, is {_type_names(after)}"
        yield Difference(place, _kind(fewer=bool(before - after), more=bool(after - before)), text)


def _type_names(types: frozenset[str]) -> str:
    return "any" if types == _TYPES else " or ".join(sorted(types - ({"integer"} if "number" in types else set())))


def _enum(place: str, was: Schema, now: Schema) -> Iterator[Difference]:
    before, after = was.get("enum"), now.get("enum")
    if before == after:
        return
    if before is None or after is None:
        yield Difference(
            place, Kind.WIDER if after is None else Kind.NARROWER, f"enum is {'gone' if before else 'new'}"
        )
        return
    for value in before:
        if value not in after:
            yield Difference(place, Kind.NARROWER, f"the value {value!r} is gone")
    for value in after:
        if value not in before:
            yield Difference(place, Kind.WIDER, f"the value {value!r} is new")


def _limits(place: str, was: Schema, now: Schema) -> Iterator[Difference]:
    infinite = float("inf")
    for keyword, none in _MINIMA.items():
        low = was.get(keyword, none), now.get(keyword, none)
        yield from _limit(place, keyword, (was, now), fewer=low[1] > low[0], more=low[1] < low[0])
    for keyword in _MAXIMA:
        high = was.get(keyword, infinite), now.get(keyword, infinite)
        yield from _limit(place, keyword, (was, now), fewer=high[1] < high[0], more=high[1] > high[0])
    least = [(side.get("minimum", -infinite), side.get("exclusiveMinimum", False)) for side in (was, now)]
    yield from _limit(place, "minimum", (was, now), fewer=least[1] > least[0], more=least[1] < least[0])
    most = [(side.get("maximum", infinite), not side.get("exclusiveMaximum", False)) for side in (was, now)]
    yield from _limit(place, "maximum", (was, now), fewer=most[1] < most[0], more=most[1] > most[0])
    step = was.get("multipleOf"), now.get("multipleOf")
    if step[0] != step[1]:
        fewer = step[0] is None or (step[1] is not None and step[1] % step[0] == 0)
        more = step[1] is None or (step[0] is not None and step[0] % step[1] == 0)
        yield from _limit(place, "multipleOf", (was, now), fewer=fewer or not more, more=more or not fewer)
    unique = bool(was.get("uniqueItems")), bool(now.get("uniqueItems"))
    yield from _limit(place, "uniqueItems", (was, now), fewer=unique[1] > unique[0], more=unique[1] < unique[0])


def _limit(place: str, keyword: str, sides: tuple[Schema, Schema], *, fewer: bool, more: bool) -> Iterator[Difference]:
    if fewer or more:
        yield Difference(place, _kind(fewer=fewer, more=more), _was_is(keyword, sides))


def _other_keywords(place: str, was: Schema, now: Schema) -> Iterator[Difference]:
    """Patterns, formats, and what is not known here: two of them cannot be compared, only told apart."""
    if was.get("default") != now.get("default"):
        yield Difference(place, Kind.DEFAULT, _was_is("default", (was, now)))
    for keyword in sorted((was.keys() | now.keys()) - _COMPARED - _SILENT):
        if was.get(keyword) != now.get(keyword) and not keyword.startswith("x-"):
            kind = _kind(fewer=keyword in now, more=keyword in was)
            yield Difference(place, kind, _was_is(keyword, (was, now)))


def _was_is(keyword: str, sides: tuple[Schema, Schema]) -> str:
    """A bound that keeps its number has become exclusive, or no longer is."""
    was, now = (str(side.get(keyword, "none")) for side in sides)
    exclusive = "exclusive" + keyword.capitalize()
    if was == now and any(exclusive in side for side in sides):
        return f"{exclusive} was {sides[0].get(exclusive, False)}, is {sides[1].get(exclusive, False)}"
    return f"{keyword} was {was}, is {now}"


def _kind(*, fewer: bool, more: bool) -> Kind:
    if fewer and more:
        return Kind.OTHER
    return Kind.NARROWER if fewer else Kind.WIDER


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What keeps to both (flat) schemas."""
    merged = {**other, **one}
    for keyword in one.keys() & other.keys():
        merged[keyword] = _both(keyword, one[keyword], other[keyword])
    return merged


def _both(keyword: str, one: Any, other: Any) -> Any:
    if keyword in _SILENT or keyword == "default" or one == other:
        return one  # the outer one says it
    if keyword == "type":
        return one & other
    if keyword == "enum":
        return [value for value in one if value in other]
    if keyword == "required":
        return [*one, *(name for name in other if name not in one)]
    if keyword == "properties":
        shared = {name: {"allOf": [one[name], other[name]]} for name in one.keys() & other.keys()}
        return {**one, **other, **shared}
    if keyword in ("items", "additionalProperties") and not isinstance(one, bool) and not isinstance(other, bool):
        return {"allOf": [one, other]}
    if keyword == "additionalProperties":
        return one is not False and other is not False and (other if one is True else one)
    if keyword in _MINIMA or keyword == "minimum":
        return max(one, other)
    if keyword in _MAXIMA or keyword == "maximum":
        return min(one, other)
    return sorted([one, other], key=str)

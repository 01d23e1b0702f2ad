"""A schema as the contract means it: references followed, `allOf` merged, and `nullable` among the types."""

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from tools.contract_diff.documents import Node, Position, same_value
from tools.contract_diff.numbers import NO_BOUND, Bound, bounds, integer_bound, number

TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})
SILENT = {"title", "description", "example", "examples", "externalDocs", "deprecated", "xml", "readOnly", "writeOnly"}
"""Keywords that allow the same values whatever they say."""
BRANCHES = ("oneOf", "anyOf")
Types = frozenset[str]


class Union(NamedTuple):
    """A `oneOf` or `anyOf` with two or more branches; one branch alone is merged like `allOf`."""

    keyword: str
    branches: list[Node]
    list_id: int
    position: Position


class Schema:
    """All mappings that a value has to satisfy together. No mapping at all allows every value."""

    @classmethod
    def of(cls, node: Node) -> "Schema":
        """The schema at one place of the contract."""
        return cls([node], node.position)

    def __init__(self, nodes: list[Node], position: Position, without: frozenset[int] = frozenset()) -> None:
        """Collect the parts of `nodes`, except unions whose list has an id in `without`."""
        self.nodes = nodes
        self.name = class_name(nodes[0]) if len(nodes) == 1 else None
        self.parts = list[Node]()
        self.unions = list[Union]()
        self.is_never = False
        self._position = position
        self._without = without
        self._collect(nodes)
        self.key = frozenset(id(part.value) for part in self.parts) | without | ({-1} if self.is_never else set())
        self._types: Types | None = None

    def _collect(self, nodes: list[Node]) -> None:
        pending, seen = list(reversed(nodes)), set[int]()
        while pending:
            for link in pending.pop().links():
                if link.value is False:
                    self.is_never = True
                if not isinstance(link.value, dict) or id(link.value) in seen:
                    continue
                seen.add(id(link.value))
                self.parts.append(link)
                pending += reversed([*link.own("allOf").elements(), *self._branches(link)])
        self.is_never = self.is_never or any(node.value == {} for node in self.children("not"))

    def _branches(self, part: Node) -> list[Node]:
        """Keep the unions of a part, and give the branches of those that have only one."""
        single = list[Node]()
        for keyword in BRANCHES:
            node = part.own(keyword)
            branches = node.elements()
            if len(branches) == 1:
                single += branches
            elif branches and id(node.value) not in self._without:
                self.unions.append(Union(keyword, branches, id(node.value), node.position))
        return single

    def alternatives(self) -> Iterator["Schema"]:
        """Each branch of the only union, together with everything beside that union."""
        (union,) = self.unions
        for branch in union.branches:
            yield Schema([*self.nodes, branch], branch.position, self._without | {union.list_id})

    @property
    def is_any(self) -> bool:
        """Whether every value is allowed."""
        return not self.is_never and not self.keywords()

    def keywords(self) -> list[str]:
        """The keywords that say something about values, in the order of the contract."""
        keys = dict.fromkeys(key for part in self.parts for key in part.own_keys() if part.own(key).exists)
        return [key for key in keys if key not in SILENT and not key.startswith("x-")]

    def children(self, keyword: str) -> list[Node]:
        """What the keyword is in each part that has it."""
        return [node for node in (part.own(keyword) for part in self.parts) if node.exists]

    def child(self, keyword: str) -> "Schema":
        """The schema under a keyword, merged from all parts that have it."""
        return Schema(self.children(keyword), self.position(keyword))

    def first(self, keyword: str) -> Node | None:
        """What the keyword is in the first part that has it."""
        return next(iter(self.children(keyword)), None)

    def position(self, keyword: str = "") -> Position:
        """The line of the keyword, or of the schema if it does not have it."""
        node = self.first(keyword)
        return node.position if node else self._position

    def flag(self, keyword: str) -> bool:
        """Whether any part says `true`."""
        return any(node.is_true for node in self.children(keyword))

    def types(self) -> Types:
        """The types that are allowed; every number includes the integers. An `enum` alone implies its types."""
        if self._types is None:
            self._types = TYPES.intersection(*map(_types, self.parts))
        return self._types

    def enum(self) -> list[Any] | None:
        """The values that are allowed if they are listed."""
        lists = [values for values in map(_enum, self.parts) if values is not None]
        if not lists:
            return None
        return [value for value in lists[0] if all(_has(other, value) for other in lists[1:])]

    def number(self, keyword: str, choose: Callable[..., float]) -> float | None:
        """The strictest number that the parts have."""
        numbers = [value for value in map(number, self.children(keyword)) if value is not None]
        return choose(numbers) if numbers else None

    def bound(self, keyword: str) -> Bound:
        """The strictest `minimum`, or `maximum` with its sign changed."""
        sign = 1 if keyword == "minimum" else -1
        found = [bound for part in self.parts for bound in bounds(part, keyword, sign)]
        if self.types().isdisjoint({"number"}):
            found = [integer_bound(bound) for bound in found]
        return max(found, default=NO_BOUND)

    def multiple_of(self) -> Fraction | None:
        """What a number must be a multiple of, over all parts."""
        steps = [Fraction(str(step)) for step in map(number, self.children("multipleOf")) if step is not None]
        steps = [step for step in steps if step > 0]
        whole = "number" not in self.types()
        if whole:
            steps.append(Fraction(1))
        if not steps:
            return None
        shared = math.prod(step.denominator for step in steps)
        step = Fraction(math.lcm(*(int(step * shared) for step in steps)), shared)
        return None if whole and step == 1 else step

    def required(self) -> dict[str, Node]:
        """The names of required properties, with the keyword that requires each."""
        found = dict[str, Node]()
        for node in self.children("required"):
            for name in node.elements():
                if isinstance(name.value, str):
                    found.setdefault(name.value, node)
        return found

    def properties(self) -> dict[str, "Schema"]:
        """The named properties, each merged from all parts."""
        nodes = dict[str, list[Node]]()
        for part in self.parts:
            properties = part.own("properties")
            for name in properties.own_keys():
                nodes.setdefault(name, []).append(properties.own(name))
        return {name: Schema(found, found[0].position) for name, found in nodes.items()}


class Pair(NamedTuple):
    """Two schemas to compare, and their path. Under `not`, fewer values are more."""

    path: str
    was: Schema
    now: Schema
    is_inverted: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """The same for pairs that differ in their path alone."""
        return self.was.key, self.now.key, self.was.name, self.now.name, self.is_inverted

    def below(self, path: str, was: Schema, now: Schema) -> "Pair":
        """A pair one step further down."""
        return Pair(path, was, now, self.is_inverted)


def class_name(node: Node) -> str | None:
    """The name that generators give the class of this schema: that of the component, also as the one part of allOf."""
    parts = node.own("allOf").elements()
    link = node.referenced() or (parts[0].referenced() if len(parts) == 1 else None)
    return link.name if link else None


def _types(part: Node) -> Types:
    declared = part.own("type").value
    names = {name for name in (declared if isinstance(declared, list) else [declared]) if isinstance(name, str)}
    if not names:
        values = _enum(part)
        if values is None:
            return TYPES
        names = set(map(_type_of, values))
    elif part.own("nullable").is_true:
        names.add("null")
    return frozenset(names | ({"integer"} if "number" in names else set()))


def _type_of(value: Any) -> str:
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"), (list, "array"), (dict, "object"))
    if value is None:
        return "null"
    return next((name for kind, name in kinds if isinstance(value, kind)), "string")


def _enum(part: Node) -> list[Any] | None:
    if part.own("const").exists:
        return [part.own("const").value]
    if not isinstance(part.own("enum").value, list):
        return None
    values = list(part.own("enum").value)
    return [*values, None] if part.own("nullable").is_true and None not in values else values


def _has(values: list[Any], value: Any) -> bool:
    return any(same_value(value, other) for other in values)

"""A contract at one revision: its files, the line of every key, and what its references lead to.

Nothing here raises when a part is missing, `null` or of another type than OpenAPI asks for: such a part is empty.
"""

import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote

import yaml

Read = Callable[[str], bytes | None]
"""Gives the content of a file by its path, or None if it cannot be read."""
_TEXTS = ("title", "summary", "description")


class UnreadableError(Exception):
    """The file is not valid YAML."""


class Position(NamedTuple):
    """A line of a file. `revision` is empty for the new version."""

    file: str
    line: int
    revision: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + (f" at {self.revision}" if self.revision else "")


class _LocatedMapping(dict[str, Any]):
    """A mapping that knows the line of each of its keys."""

    lines: Mapping[str, int] = {}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # chosen at run time
    """Reads mappings with their lines; keys are kept as they are written, so that `200` and `on` are strings."""

    def located_mapping(self, node: yaml.MappingNode) -> Iterator[_LocatedMapping]:
        """Construct a mapping in two steps, as PyYAML does, so that an alias can refer to it from within."""
        found = _LocatedMapping()
        yield found
        self.flatten_mapping(node)
        pairs = [(str(key.value), key.start_mark.line + 1, value) for key, value in node.value]
        found.lines = {key: line for key, line, _ in pairs}
        found.update((key, self.construct_object(value)) for key, _, value in pairs)


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.located_mapping)


def load(content: bytes) -> Any:
    """Read YAML (or JSON, which is part of it). Raises `UnreadableError`."""
    try:
        return yaml.load(content, _Loader)  # noqa: S506 -- a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnreadableError(str(error)) from error


class Contract:
    """All files of a contract at one revision, read when something refers to them."""

    def __init__(self, name: str, root: Any, read: Read = lambda _: None, revision: str = "") -> None:
        self._read, self._revision, self._roots = read, revision, {name: root}
        self.root = Node(root, name, 1, self)
        self.known = dict[Contract, dict[object, Any]]()
        """What is known of differences to another contract, so that equal questions are decided once."""

    def target(self, reference: str, file: str) -> "Node | None":
        """What a reference in `file` leads to, or None. Other files are found from the folder of `file`."""
        other, _, pointer = reference.partition("#")
        name = posixpath.normpath(posixpath.join(posixpath.dirname(file), unquote(other))) if other else file
        value, line = self._file(name), 1
        for step in pointer.strip("/").split("/") if pointer.strip("/") else ():
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and key in value:
                line = getattr(value, "lines", {}).get(key, line)
                value = value[key]
            elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            else:
                return None
        return None if value is None else Node(value, name, line, self, reference.rpartition("/")[2])

    def position(self, file: str, line: int) -> Position:
        """Locate a line of this revision."""
        return Position(file, line, self._revision)

    def _file(self, name: str) -> Any:
        if name not in self._roots:
            content = None if "://" in name else self._read(name)
            self._roots[name] = None if content is None else _loaded_or_none(content)
        return self._roots[name]


def _loaded_or_none(content: bytes) -> Any:
    try:
        return load(content)
    except UnreadableError:
        return None


@dataclass(frozen=True, eq=False)
class Node:
    """A value of a contract and its position. `name` is the last part of the reference that led here, if one did."""

    value: Any
    file: str
    line: int
    contract: Contract
    name: str = ""

    @property
    def position(self) -> Position:
        """Where the value is."""
        return self.contract.position(self.file, self.line)

    @property
    def exists(self) -> bool:
        """Whether there is a value other than `null`."""
        return self.value is not None

    def links(self) -> list["Node"]:
        """The value and everything that `$ref` leads to from it, without mappings that only hold a reference."""
        found, node, seen = list[Node](), self, set[int]()
        while isinstance(node.value, dict) and id(node.value) not in seen:
            seen.add(id(node.value))
            target = node.referenced()
            if target is None:
                return [*found, node]
            if len(node.value) > 1:
                found.append(node)
            node = target
        return found if isinstance(node.value, dict) else [*found, node]

    def referenced(self) -> "Node | None":
        """What `$ref` leads to, or None if there is no reference or nothing at its end."""
        reference = self.value.get("$ref") if isinstance(self.value, dict) else None
        return self.contract.target(reference, self.file) if isinstance(reference, str) else None

    def own_keys(self) -> list[str]:
        """The keys of this mapping itself, without a reference that leads somewhere."""
        if not isinstance(self.value, dict):
            return []
        return [key for key in self.value if key != "$ref" or self.referenced() is None]

    def own(self, key: str) -> "Node":
        """The value of a key of this mapping itself; references are not followed."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return Node(value, self.file, getattr(self.value, "lines", {}).get(key, self.line), self.contract)

    def __getitem__(self, key: str) -> "Node":
        """The value of a key, here or behind the reference."""
        for link in self.links():
            if isinstance(link.value, dict) and link.value.get(key) is not None:
                return link.own(key)
        return Node(None, self.file, self.line, self.contract)

    def items(self) -> dict[str, "Node"]:
        """The values of a mapping, also those behind its reference; extensions (`x-…`) are left out."""
        keys = dict.fromkeys(key for link in self.links() for key in link.own_keys())
        return {key: self[key] for key in keys if not key.startswith("x-")}

    def elements(self) -> list["Node"]:
        """The elements of a list."""
        for link in self.links():
            if isinstance(link.value, list):
                return [Node(value, link.file, _line(value, link.line), self.contract) for value in link.value]
        return []

    def text(self, default: str = "") -> str:
        """The value if it is a string."""
        return self.value if isinstance(self.value, str) else default

    @property
    def is_true(self) -> bool:
        """Whether the value is `true`; a word or a number is not."""
        return self.value is True


def _line(value: Any, default: int) -> int:
    """The line of an element of a list: that of its first key, if it has one."""
    lines: Mapping[str, int] = getattr(value, "lines", {})
    return min(lines.values(), default=default)


def same(one: Node, other: Node) -> bool:
    """Whether two values say the same once references are followed; titles and descriptions do not count."""
    pending, seen = [(one, other)], set[tuple[int, int]]()
    while pending:
        pair = pending.pop()
        ends = [node.links()[-1:] for node in pair]
        values: list[Any] = [end[0].value if end else None for end in ends]
        if (id(values[0]), id(values[1])) in seen:
            continue
        seen.add((id(values[0]), id(values[1])))
        if all(isinstance(value, dict) for value in values):
            items = [_without_texts(node.items()) for node in pair]
            if items[0].keys() != items[1].keys():
                return False
            pending += [(items[0][key], items[1][key]) for key in items[0]]
        elif all(isinstance(value, list) for value in values):
            if len(values[0]) != len(values[1]):
                return False
            pending += zip(pair[0].elements(), pair[1].elements(), strict=True)
        elif not same_value(*values):
            return False
    return True


def same_value(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; `true` is not 1, and NaN is itself."""
    return repr(one) == repr(other) or (isinstance(one, bool) == isinstance(other, bool) and bool(one == other))


def _without_texts(items: dict[str, Node]) -> dict[str, Node]:
    return {key: node for key, node in items.items() if not (key in _TEXTS and isinstance(node.value, str))}

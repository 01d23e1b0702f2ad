"""The files of a contract, with the place of each node. A start without faults asks for no place and pays for none."""

from collections.abc import Hashable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from contract.diagnostics import ContractError, Fault, Place, Steps
from contract.spec.document import FILES, steps

_SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"
_NOT_YAML = "The contract is not valid YAML:"
# What libyaml says, and what it usually means.
_TAB = ("a tab in the indentation", "indent with spaces")
_MEANINGS = {
    "mapping values are not allowed in this context": (
        "a second `: ` in one line, or wrong indentation",
        "put a text with `: ` in quotes",
    ),
    "found character that cannot start any token": ("a value cannot start with this character", "put it in quotes"),
    "could not find expected ':'": ("there is no `: ` after this key", "write `key: value`"),
    "did not find expected key": (
        "this does not continue the block above it",
        "correct the indentation, or close the quotes or brackets above",
    ),
    "did not find expected '-' indicator": ("this does not continue the list above it", "start it with `- `"),
    "did not find expected ',' or ']'": ("a list in [brackets] is not closed before this", "add `,` or `]`"),
    "did not find expected ',' or '}'": ("a mapping in {braces} is not closed before this", "add `,` or `}`"),
    "found unexpected end of stream": ("the file ends inside of quotes", "close them"),
    "found undefined alias": ("no anchor has this name", "put a text that starts with `*` in quotes"),
}


class _Loader(_SAFE_LOADER):  # type: ignore[misc,valid-type]  # chosen when the module is loaded
    """PyYAML's safe loader, which notes the keys that a mapping has twice. PyYAML itself takes the last one."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self.repeated: list[tuple[yaml.ScalarNode, yaml.ScalarNode]] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 -- PyYAML's signature
        """Construct a dictionary, after its keys are compared: merging adds keys that may be there already."""
        first: dict[str, yaml.ScalarNode] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE and first.setdefault(key.value, key) is not key:
                self.repeated.append((first[key.value], key))
        return super().construct_mapping(node, deep)  # type: ignore[no-any-return]  # PyYAML has no types


class _File:
    """One file: its content, and its nodes with their marks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = path.read_bytes()

    def read(self) -> Any:
        """Return the content as data. Raise `ContractError` if it is not YAML."""
        try:
            loader = _Loader(self._content)
            data = loader.get_single_data()
        except yaml.YAMLError as error:
            raise ContractError(_NOT_YAML, [self._syntax_error(error)]) from None
        faults = [self._repeated(*keys) for keys in loader.repeated]
        if b"&" in self._content:
            faults += self._loops()
        if faults:
            raise ContractError(_NOT_YAML, faults)
        return data

    @cached_property
    def root(self) -> Any:
        """The root node."""
        return yaml.compose(self._content, Loader=_SAFE_LOADER)

    @cached_property
    def _lines(self) -> list[str]:
        return self._content.decode("utf-8", "replace").splitlines() or [""]

    def place(self, node: yaml.Node) -> Place:
        """Return the place of a node; of its first key or element if it is a block."""
        while isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
            node = node.value[0][0] if isinstance(node, yaml.MappingNode) else node.value[0]
        start, end = node.start_mark, node.end_mark
        is_word = isinstance(node, yaml.ScalarNode) and start.line == end.line
        return self._at(start.line, start.column, end.column - start.column if is_word else 1)

    def _at(self, line: int, column: int, length: int = 1) -> Place:
        """Return the place of a line and a column that count from 0."""
        if line >= len(self._lines):  # the end of the file
            line, column = len(self._lines) - 1, len(self._lines[-1])
        return Place(self._path, line + 1, column + 1, self._lines[line], length)

    def _loops(self) -> Iterator[Fault]:
        """Yield the aliases of what contains them: the document would have no end."""
        around: list[str | None] = []
        for event in yaml.parse(self._content, Loader=_SAFE_LOADER):
            if isinstance(event, yaml.CollectionStartEvent):
                around.append(event.anchor)
            elif isinstance(event, yaml.CollectionEndEvent):
                around.pop()
            elif isinstance(event, yaml.AliasEvent) and event.anchor in around:
                mark: Any = event.start_mark
                place = self._at(mark.line, mark.column, len(str(event.anchor)) + 1)
                yield Fault(f"`*{event.anchor}` is inside of what it stands for", place=place)

    def _repeated(self, first: yaml.ScalarNode, second: yaml.ScalarNode) -> Fault:
        message = f"the key `{first.value}` is there twice"
        return Fault(message, f"the first is in line {first.start_mark.line + 1}", place=self.place(second))

    def _syntax_error(self, error: Any) -> Fault:
        if isinstance(error, yaml.reader.ReaderError):
            before = self._content[: error.position]
            column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace"))
            message = f"a character that YAML does not allow: {error.reason}"
            help_ = "remove it" if "control" in error.reason else "save the file as UTF-8"
            return Fault(message, help_, place=self._at(before.count(b"\n"), column))
        is_key = error.context == "while scanning a simple key"  # the problem is found in the line below the key
        mark = error.context_mark if is_key else error.problem_mark or error.context_mark
        place = self._at(mark.line, mark.column)
        message, help_ = _MEANINGS.get(error.problem, (error.problem, error.context or ""))
        if "\t" in place.text[: len(place.text) - len(place.text.lstrip())]:
            message, help_ = _TAB
        return Fault(message, help_, place=place)


class Sources:
    """The files of a contract, in one folder. `main` is the first."""

    def __init__(self, main: Path) -> None:
        self.main = main
        self._files: dict[str, _File] = {}

    def read(self, name: str) -> Any:
        """Return the content of a file. Raise `ContractError` if it is not YAML; `OSError` if it cannot be read."""
        file = self._files[name] = _File(self.main.parent / name)
        return file.read()

    def located(self, faults: list[Fault]) -> list[Fault]:
        """Return the faults with their places."""
        return [self._located(fault) for fault in faults]

    def _located(self, fault: Fault) -> Fault:
        help_ = fault.help.replace("{see}", str(self._place(fault.see, key=True))) if fault.see else fault.help
        is_elsewhere = fault.place is not None or not (fault.at or fault.key)
        place = fault.place if is_elsewhere else self._place(fault.at, key=fault.key)
        return replace(fault, help=help_, place=place)

    def _place(self, path: Steps, *, key: bool) -> Place:
        """Return the place of the deepest node on the way that exists: its value, or the key that leads to it."""
        name, path = (path[1], path[2:]) if path[:1] == (FILES,) else (self.main.name, path)
        node = self._files[name].root
        found = node
        for step in path:
            child = _child(node, step)
            if child is None and (reference := _child(node, "$ref")):
                name, node = self._followed(name, str(reference[1].value))
                child = _child(node, step)
            if child is None:
                break
            found, node = child
        return self._files[name].place(found if key else node)

    def _followed(self, name: str, reference: str) -> tuple[str, yaml.Node]:
        """Return the file and the node that a reference in the file `name` leads to."""
        file, _, fragment = reference.partition("#")
        name = file.removeprefix("./") or name
        node = self._files[name].root
        for step in steps(fragment):
            child = _child(node, step)
            node = child[1] if child else node
        return name, node


def _child(node: yaml.Node, step: str) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the key and the value of a step, or None. The element of a list is its own key."""
    if isinstance(node, yaml.SequenceNode):
        is_element = step.isdigit() and int(step) < len(node.value)
        return (node.value[int(step)],) * 2 if is_element else None
    return next(_entries(node, step), None) if isinstance(node, yaml.MappingNode) else None


def _entries(node: yaml.MappingNode, step: str) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Yield the keys and values of a name, those that are merged (`<<`) last."""
    yield from ((key, value) for key, value in node.value if key.tag != _MERGE and key.value == step)
    for _, value in (entry for entry in node.value if entry[0].tag == _MERGE):
        for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            yield from _entries(merged, step)

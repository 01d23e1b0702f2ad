"""A YAML file, changed by inserting text: what is not changed stays as it is, byte for byte."""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from app.specfile import SafeLoader

Node = Any


@dataclass
class Document:
    """The text of a file and the changes to make in it."""

    text: str
    _edits: list[tuple[int, int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root: Node = yaml.compose(self.text, Loader=SafeLoader)

    def find(self, *keys: str) -> Node:
        """The node below these keys; None if there is none."""
        node = self.root
        for key in keys:
            node = next((value for name, value in pairs(node) if name.value == key), None)
            if node is None:
                return None
        return node

    def replace(self, node: Node, text: str, *, same_line: bool = False) -> None:
        """Write `text` in the place of a node; with `same_line`, behind the colon that a block node stands below."""
        start = node.start_mark.index
        if same_line:
            start, text = len(self.text[:start].rstrip()), f" {text}"
        self._edits.append((start, self.end(node), text))

    def insert_before(self, node: Node, text: str) -> None:
        """Write `text` where a node begins."""
        self._edits.append((node.start_mark.index, node.start_mark.index, text))

    def insert_after(self, node: Node, text: str) -> None:
        """Write the lines of `text` below the last line of a node."""
        end = self.text.find("\n", self.end(node)) + 1 or len(self.text)
        self._edits.append((end, end, text if self.text[:end].endswith("\n") else f"\n{text}"))

    def insert_at_end(self, node: Node, text: str) -> None:
        """Write `text` before the bracket that ends a node in flow style."""
        self._edits.append((node.end_mark.index - 1, node.end_mark.index - 1, text))

    def end(self, node: Node) -> int:
        """Where the node's own text ends: marks of block collections lie behind the comments below them."""
        if isinstance(node, yaml.ScalarNode):
            return node.start_mark.index + len(self.text[node.start_mark.index : node.end_mark.index].rstrip())
        if node.flow_style or not node.value:
            return int(node.end_mark.index)
        last = node.value[-1]
        return self.end(last[1] if isinstance(node, yaml.MappingNode) else last)

    def comments(self, node: Node) -> list[str]:
        """The comments within the node's text, which replacing it would lose."""
        found = []
        for line in self.text[node.start_mark.index : self.end(node)].splitlines():
            comment = re.search(r"(?:^|\s)(#.*)$", line)
            if comment and not self._is_in_scalar(node, comment[1]):
                found.append(comment[1])
        return found

    def changed(self) -> str:
        """The text with all changes."""
        parts, position = [], 0
        for start, end, text in sorted(self._edits, key=lambda edit: edit[:2]):
            parts += [self.text[position:start], text]
            position = end
        return "".join([*parts, self.text[position:]])

    def _is_in_scalar(self, node: Node, text: str) -> bool:
        if isinstance(node, yaml.ScalarNode):
            return text in self.text[node.start_mark.index : self.end(node)]
        children = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        return any(self._is_in_scalar(child, text) for child in children)


def pairs(node: Node) -> list[tuple[Node, Node]]:
    """The keys and values of a mapping; none of another node."""
    return node.value if isinstance(node, yaml.MappingNode) else []


def dump(value: Any, indent: int) -> str:
    """The value in YAML, as lines with that indent, in the style of the contract."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6, default_flow_style=False)
    return "".join(f"{' ' * indent}{line}\n" if line else "\n" for line in text.splitlines())


def flow(value: Any) -> str:
    """The value in YAML on one line."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6, default_flow_style=True)
    return text.strip()


class _Dumper(yaml.SafeDumper):
    """Lists of scalars are on one line, other ones are indented, and references have double quotes."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 -- of PyYAML
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- the same
        return True


def _sequence(dumper: yaml.SafeDumper, value: list[Any]) -> Node:
    is_flat = not any(isinstance(element, dict | list) for element in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=is_flat or None)


def _string(dumper: yaml.SafeDumper, value: str) -> Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if value.startswith("#/") else None)


_Dumper.add_representer(list, _sequence)
_Dumper.add_representer(str, _string)

"""Decodes objects and arrays whose parts have raw values of their own: `filter[name]=x`, `items[0][price]=1`."""

import re
from collections.abc import Mapping
from typing import Any

from contract.requests.values import ValueDecoder, value_decoder
from contract.spec.document import Document, resolve
from contract.spec.schemas import Schemas
from contract.spec.types import ANY, Types, admitted

ABSENT: Any = object()
"""No value: the raw values contradict each other, because one that must be single is given more than once."""
Tree = dict[str, Any]
"""Raw values by their place: the key "" has a list of them, every other key a tree."""
_STEPS = re.compile(r"\[([^\[\]]*)\]")
_WHOLE = re.compile(r"(?:\[[^\[\]]*\])+")
_COMPOSING = ("allOf", "anyOf", "oneOf")
MAX_DEPTH = 20


def gather(name: str, query: Mapping[str, list[str]]) -> Tree:
    """Return the raw values of `name`, `name[a]`, `name[a][b]` … as a tree; empty if there are none."""
    tree: Tree = {}
    for key, values in query.items():
        if key == name or claims(name, key):
            node = tree
            for step in _STEPS.findall(key[len(name) :])[:MAX_DEPTH]:
                node = node.setdefault(f"[{step}", {})
            node.setdefault("", []).extend(values)
    return tree


def claims(name: str, key: str) -> bool:
    """Return whether a query parameter is a part of the deep object `name`."""
    return key.startswith(f"{name}[") and _WHOLE.fullmatch(key[len(name) :]) is not None


class Structure:
    """What a schema says about decoding raw values: as a scalar, as an array, as an object."""

    def __init__(self, types: Types, decode_value: ValueDecoder) -> None:
        self.types = types
        self.decode_value = decode_value
        self.items: Structure | None = None
        self.properties: dict[str, Structure] = {}
        self.additional: Structure | None = None

    def decode(self, tree: Tree) -> Any:
        """Return the value of a tree, or `ABSENT`."""
        parts = {key[1:]: part for key, part in tree.items() if key}
        if not parts:
            return self.decode_values(tree.get("", []))
        if "" in tree:
            return ABSENT
        if self.items is not None and all(key == "" or key.isdecimal() for key in parts):
            return self._array(parts)
        decoded = {key: self._part(key).decode(part) for key, part in parts.items()}
        return ABSENT if any(value is ABSENT for value in decoded.values()) else decoded

    def decode_values(self, values: list[str]) -> Any:
        """Return the value of a list of raw values: an array where the schema has one, else a scalar."""
        decoded = self.decode_value(values[0]) if len(values) == 1 else ABSENT
        if self.items is None or (decoded is not ABSENT and type(decoded) is not str) or self._takes(decoded):
            return decoded
        return [self.items.decode_value(value) for value in values]

    def _takes(self, decoded: Any) -> bool:
        return type(decoded) is str and "string" in self.types

    def _array(self, parts: Mapping[str, Tree]) -> Any:
        assert self.items is not None
        elements: list[Any] = []
        for key in sorted(parts, key=lambda key: int(key or 0)):
            part = parts[key]
            if set(part) == {""}:
                elements += [self.items.decode_value(value) for value in part[""]]
            else:
                elements.append(self.items.decode(part))
        return ABSENT if any(element is ABSENT for element in elements) else elements

    def _part(self, name: str) -> "Structure":
        return self.properties.get(name) or self.additional or _TEXT


_TEXT = Structure(ANY, str)


class Structures:
    """Builds the structures of a contract's schemas, once for each schema."""

    def __init__(self, document: Document, schemas: Schemas) -> None:
        self._document = document
        self._schemas = schemas
        self._built: dict[int, Structure] = {}

    def build(self, schema: Mapping[str, Any]) -> Structure:
        """Return the structure of a schema; one that contains itself has a structure that contains itself."""
        target = resolve(self._document, schema)
        if id(target) not in self._built:
            types = admitted(target, self._document)
            built = self._built[id(target)] = Structure(types, value_decoder(types, target, self._schemas))
            self._fill(built, target, 0)
        return self._built[id(target)]

    def _fill(self, structure: Structure, schema: Mapping[str, Any], depth: int) -> None:
        """Add what the schema, and the schemas that compose it, say of items and properties. The first one counts."""
        target = resolve(self._document, schema)
        if structure.items is None and isinstance(target.get("items"), Mapping):
            structure.items = self.build(target["items"])
        for name, part in target.get("properties", {}).items():
            if name not in structure.properties:
                structure.properties[name] = self.build(part)
        if structure.additional is None and isinstance(target.get("additionalProperties"), Mapping):
            structure.additional = self.build(target["additionalProperties"])
        if depth < MAX_DEPTH:
            for part in (part for keyword in _COMPOSING for part in target.get(keyword, ())):
                self._fill(structure, part, depth + 1)

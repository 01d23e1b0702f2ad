"""Reads the files of a contract, and makes one document of them with local references only."""

from collections.abc import Mapping
from typing import Any

from contract.diagnostics import ContractError, Fault, Steps
from contract.spec.document import FILES, Document
from contract.spec.sources import Sources

# Keywords whose value is a JSON value of the author's own, where `$ref` is a name like any other.
_LITERALS = ("default", "enum", "example", "value")
# Keywords whose value maps names to objects. The names are the author's own, even when they look like keywords.
_MAPS = ("callbacks", "content", "definitions", "encoding", "examples", "headers", "links", "parameters", "paths",
         "properties", "requestBodies", "responses", "schemas", "securitySchemes", "variables")  # fmt: skip
_UNREADABLE = "The contract cannot be read:"


class Bundle:
    """The files of one contract. `references` are all local references of the bundled document, with one place each."""

    def __init__(self, sources: Sources | None) -> None:
        self._sources = sources
        self._files: dict[str, Any] = {}
        self.references: dict[str, list[Steps]] = {}

    def add(self, document: Document) -> dict[str, Any]:
        """Bundle the main document."""
        bundled: dict[str, Any] = self._bundled(_with_string_keys(document), None, ())
        return {**bundled, FILES: self._files} if self._files else bundled

    def read(self) -> dict[str, Any]:
        """Read and bundle the main document."""
        assert self._sources is not None
        name = self._sources.main.name
        try:
            document = self._sources.read(name)
        except OSError as error:
            raise ContractError(f"{name} cannot be read: {error.strerror}") from None
        if not isinstance(document, Mapping):
            raise ContractError(f"{name} is not an OpenAPI document: it holds no mapping")
        return self.add(document)

    def _bundled(self, node: Any, file: str | None, at: Steps, *, names: bool = False) -> Any:
        if isinstance(node, list):
            return [self._bundled(part, file, (*at, str(number))) for number, part in enumerate(node)]
        if not isinstance(node, Mapping):
            return node
        reference = node.get("$ref")
        if isinstance(reference, str) and not names:
            local = self._local(reference, file, at)
            self.references.setdefault(local, []).append(at)
            return {**node, "$ref": local}
        return {
            key: value
            if not names and (key in _LITERALS or key.startswith("x-"))
            else self._bundled(value, file, (*at, key), names=not names and key in _MAPS)
            for key, value in node.items()
        }

    def _local(self, reference: str, file: str | None, at: Steps) -> str:
        """Return the reference within the bundled document; read the file that it leads to, once."""
        if self._sources is None:
            return reference
        name, _, pointer = reference.partition("#")
        target = name.removeprefix("./") or file
        if target is None or target == self._sources.main.name:
            return f"#{pointer}"
        if any(mark in target for mark in (":", "/", "\\")):
            return reference  # `resolve` says that it leads out of the folder, where it is used
        if target not in self._files:
            self._files[target] = None  # a file may refer to itself, or back
            content = _with_string_keys(self._parse(target, at))
            self._files[target] = self._bundled(content, target, (FILES, target))
        return f"#/{FILES}/{target.replace('~', '~0')}{pointer}"

    def _parse(self, name: str, at: Steps) -> Any:
        assert self._sources is not None
        try:
            return self._sources.read(name)
        except OSError as error:
            fault = Fault(f"{name} cannot be read: {error.strerror}", at=(*at, "$ref"))
            raise ContractError(_UNREADABLE, self._sources.located([fault])) from None


def _with_string_keys(node: Any) -> Any:
    """Return the document with string keys throughout: YAML reads an unquoted `200:` as a number."""
    if isinstance(node, list):
        return [_with_string_keys(part) for part in node]
    if isinstance(node, Mapping):
        return {str(key): _with_string_keys(value) for key, value in node.items()}
    return node

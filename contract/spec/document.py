"""Loads a contract, with the files of its folder that it refers to, as one document with local references only."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema_rs
import yaml

from contract.connexion_internals import OPENAPI_SCHEMA

Document = Mapping[str, Any]
FILES = "x-files"
"""The extension of the loaded document that holds the other files, by name."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_FAULTS = 20
# Keywords whose value is a JSON value of the author's own, where `$ref` is a name like any other.
_LITERALS = ("default", "enum", "example", "value")
# Keywords whose value maps names to objects. The names are the author's own, even when they look like keywords.
_MAPS = ("callbacks", "content", "definitions", "encoding", "examples", "headers", "links", "parameters", "paths",
         "properties", "requestBodies", "responses", "schemas", "securitySchemes", "variables")  # fmt: skip


class ContractError(Exception):
    """The contract, the handlers and the application do not fit together; the message lists every fault."""

    @classmethod
    def listing(cls, what: str, faults: list[str]) -> "ContractError":
        """Make an error with one line for each fault."""
        return cls("\n".join([what, *(f"  - {fault}" for fault in faults)]))


class Uncompilable(Exception):  # noqa: N818 -- a reason, which ends up in the message of a ContractError
    """A part of the contract that the compiler does not support; the message says which and why."""


def load(source: Path | Document) -> dict[str, Any]:
    """Read a contract from a file, or take one that is read already. Raise `ContractError` unless it is OpenAPI 3.0.

    References to other files of the same folder become references into the extension `x-files`.
    """
    bundle = _Bundle(source.parent if isinstance(source, Path) else None)
    document: dict[str, Any] = bundle.read(source.name) if isinstance(source, Path) else bundle.add(source)
    faults = sorted(_faults(document))
    if faults:
        raise ContractError.listing("The contract is not a valid OpenAPI 3.0 document:", faults[:_MAX_FAULTS])
    return document


def resolve(document: Document, node: Any) -> Any:
    """Return the node, or what its `$ref` leads to. Raise `Uncompilable` if it leads nowhere."""
    seen: set[str] = set()
    while isinstance(node, Mapping) and isinstance(node.get("$ref"), str):
        reference = node["$ref"]
        if reference in seen:
            raise Uncompilable(f"the reference {reference} leads back to itself")
        seen.add(reference)
        node = _target(document, reference)
    return node


def _target(document: Document, reference: str) -> Any:
    if reference != "#" and not reference.startswith("#/"):
        raise Uncompilable(f"the reference {reference} leads out of the contract's folder")
    node: Any = document
    for step in reference[2:].split("/") if len(reference) > 1 else ():
        key = unquote(step).replace("~1", "/").replace("~0", "~")  # RFC 6901 §6: a fragment is percent-encoded
        try:
            node = node[int(key)] if isinstance(node, list) else node[key]
        except (KeyError, IndexError, TypeError, ValueError):
            raise Uncompilable(f"the reference {reference} leads nowhere") from None
    return node


def _faults(document: Document) -> Iterator[str]:
    """Yield each violation of OpenAPI's own schema, with the JSON Pointer to it."""
    try:
        errors = jsonschema_rs.Draft4Validator(dict(OPENAPI_SCHEMA)).iter_errors(document)
    except ValueError as reason:
        yield f"it holds a value that JSON does not have: {reason}"
        return
    for error in errors:
        where = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in error.instance_path)
        message = error.message if len(error.message) <= 200 else f"{error.message[:199]}…"
        yield f"{where or 'the whole document'}: {message}"


class _Bundle:
    """The files of one contract."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._files: dict[str, Any] = {}
        self._main: str | None = None

    def add(self, document: Document) -> dict[str, Any]:
        """Bundle the main document."""
        bundled: dict[str, Any] = self._bundled(_with_string_keys(document), None)
        return {**bundled, FILES: self._files} if self._files else bundled

    def read(self, name: str) -> dict[str, Any]:
        """Read and bundle the main document."""
        self._main = name
        document = self._parse(name)
        if not isinstance(document, Mapping):
            raise ContractError(f"{name} is not an OpenAPI document: it holds no mapping")
        return self.add(document)

    def _parse(self, name: str) -> Any:
        assert self._folder is not None
        try:
            return yaml.load((self._folder / name).read_bytes(), Loader=_LOADER)  # noqa: S506 -- a safe loader
        except OSError as error:
            raise ContractError(f"{name} cannot be read: {error.strerror}") from None

    def _bundled(self, node: Any, file: str | None, *, names: bool = False) -> Any:
        if isinstance(node, list):
            return [self._bundled(part, file) for part in node]
        if not isinstance(node, Mapping):
            return node
        reference = node.get("$ref")
        if isinstance(reference, str) and not names:
            return {**node, "$ref": self._local(reference, file)}
        return {
            key: value
            if not names and (key in _LITERALS or key.startswith("x-"))
            else self._bundled(value, file, names=not names and key in _MAPS)
            for key, value in node.items()
        }

    def _local(self, reference: str, file: str | None) -> str:
        """Return the reference within the bundled document; read the file that it leads to, once."""
        if self._folder is None:
            return reference
        name, _, pointer = reference.partition("#")
        target = name.removeprefix("./") or file
        if target is None or target == self._main:
            return f"#{pointer}"
        if any(mark in target for mark in (":", "/", "\\")):
            return reference  # `resolve` says that it leads out of the folder, where it is used
        if target not in self._files:
            self._files[target] = None  # a file may refer to itself, or back
            self._files[target] = self._bundled(_with_string_keys(self._parse(target)), target)
        return f"#/{FILES}/{target.replace('~', '~0')}{pointer}"


def _with_string_keys(node: Any) -> Any:
    """Return the document with string keys throughout: YAML reads an unquoted `200:` as a number."""
    if isinstance(node, list):
        return [_with_string_keys(part) for part in node]
    if isinstance(node, Mapping):
        return {str(key): _with_string_keys(value) for key, value in node.items()}
    return node

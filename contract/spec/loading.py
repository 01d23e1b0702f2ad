"""Loads a contract, with the files of its folder that it refers to, and checks that it is valid."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from contract.diagnostics import ContractError, Fault
from contract.spec import consistency, structure
from contract.spec.bundle import Bundle
from contract.spec.document import Document
from contract.spec.sources import Sources


class Contract(dict[str, Any]):
    """A valid contract as one document. It knows the places of its parts if it was read from files."""

    def __init__(self, document: Document, sources: Sources | None) -> None:
        super().__init__(document)
        self._sources = sources

    def error(self, what: str, faults: Iterable[Fault]) -> ContractError:
        """Return the error with these faults, each with its place."""
        return _error(what, faults, self._sources)


def load(source: Path | Document) -> Contract:
    """Read a contract from a file, or take one that is read already. Raise `ContractError` unless it is OpenAPI 3.0.

    References to other files of the same folder become references into the extension `x-files`.
    """
    sources = Sources(source) if isinstance(source, Path) else None
    bundle = Bundle(sources)
    document = bundle.add(source) if not isinstance(source, Path) else bundle.read()
    faults = [
        *structure.faults(document),
        *structure.part_faults(document, bundle.references),
        *consistency.reference_faults(document, bundle.references),
    ]
    if not faults:
        faults = list(consistency.faults(document))
    if faults:
        raise _error("The contract is not a valid OpenAPI 3.0 document:", faults, sources)
    return Contract(document, sources)


def _error(what: str, faults: Iterable[Fault], sources: Sources | None) -> ContractError:
    return ContractError(what, sources.located(list(faults)) if sources else faults)

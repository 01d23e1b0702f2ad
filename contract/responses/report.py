"""Reports for the log of what is wrong with a response: each place, its rule, and the type of the value there."""

from collections.abc import Iterable
from typing import Any

from contract.spec.schemas import Path
from contract.violations import pointer


def report(document: Any, violations: Iterable[tuple[Path, str]]) -> str:
    """Describe the violations of a body. The values themselves stay out of the log: they may be secret."""
    places = (
        f"{pointer(path) or 'the whole'} {detail} (it is of type {_type_at(document, path)})"
        for path, detail in violations
    )
    return f"the body does not match its schema: {'; '.join(places)}"


def _type_at(document: Any, path: Path) -> str:
    for step in path:
        try:
            document = document[int(step)] if isinstance(document, list) else document[step]
        except (KeyError, IndexError, TypeError):
            return "nothing"
    return type(document).__name__

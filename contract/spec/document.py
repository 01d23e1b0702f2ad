"""A contract as one document with local references only, and how its references are followed."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

Document = Mapping[str, Any]
FILES = "x-files"
"""The extension of the loaded document that holds the other files, by name."""

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
TEMPLATE_PARAMETER = re.compile(r"\{([^}]+)\}")


class Uncompilable(Exception):  # noqa: N818 -- a reason, which ends up in the message of a ContractError
    """A part of the contract that the compiler does not support; the message says which and why."""


class External(Uncompilable):
    """A reference that leads to another folder or another host."""


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


def is_local(reference: str) -> bool:
    """Return whether the reference leads to a place in the document."""
    return reference == "#" or reference.startswith("#/")


def steps(fragment: str) -> tuple[str, ...]:
    """Return the steps of a JSON Pointer in a URL. RFC 6901 §6: a fragment is percent-encoded."""
    return tuple(unquote(step).replace("~1", "/").replace("~0", "~") for step in fragment.split("/")[1:])


def _target(document: Document, reference: str) -> Any:
    if not is_local(reference):
        raise External(f"the reference {reference} leads out of the contract's folder")
    node: Any = document
    for key in steps(reference[1:]):
        try:
            node = node[int(key)] if isinstance(node, list) else node[key]
        except (KeyError, IndexError, TypeError, ValueError):
            raise Uncompilable(f"the reference {reference} leads nowhere") from None
    return node

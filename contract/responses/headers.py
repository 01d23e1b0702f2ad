"""Response headers: validated against the contract, and written as HTTP has them."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from contract.requests.values import value_decoder
from contract.responses.response import WireHeaders
from contract.spec.document import Document
from contract.spec.schemas import Schemas
from contract.spec.types import admitted

_FRAMING = ("content-length", "transfer-encoding", "connection")
"""Headers that the server writes, whatever a handler says."""
ADDED_HEADERS = frozenset({"x-request-id"})
"""Headers that are added to every response, after it was validated."""
_DEFAULT_HEADERS = frozenset({"cache-control"})
"""Headers that are added to every response that has none, after it was validated."""


class Header:
    """A documented header."""

    def __init__(self, name: str, header: Mapping[str, Any], document: Document, schemas: Schemas) -> None:
        self.name = name
        self.key = name.lower()
        self.wire_name = wire_name(self.key)
        self.required = bool(header.get("required")) and self.key not in _DEFAULT_HEADERS
        self.is_valid = _validator(header.get("schema", {}), document, schemas)

    def fault(self, value: str | None) -> str | None:
        """Return what is wrong with the value, or with its absence."""
        if value is None:
            return f"the header {self.name} is missing" if self.required else None
        if self.is_valid(value):
            return None
        return f"the header {self.name} has the value {value!r}, which does not match its schema"


def _validator(schema: Mapping[str, Any], document: Document, schemas: Schemas) -> Callable[[str], bool]:
    """Return whether the header may have a value. Arrays and objects are not validated."""
    types = admitted(schema, document)
    is_valid = schemas.compile(schema).is_valid
    if types & {"array", "object"}:
        return lambda _value: True
    if types == {"string"}:
        return is_valid
    decode = value_decoder(types, schema, schemas)
    return lambda value: is_valid(decode(value))


@lru_cache(maxsize=1024)
def wire_name(name: str) -> bytes:
    """Return a header's name in lower case as bytes."""
    return name.encode("latin-1")


def wire_headers(pairs: list[tuple[str, str]]) -> WireHeaders:
    """Return the headers as bytes, without those that the server writes."""
    return [(wire_name(name), value.encode("latin-1")) for name, value in pairs if name not in _FRAMING]


def is_sendable(value: str) -> bool:
    """Return whether a header can have this value: no line break and no NUL (RFC 9110 §5.5)."""
    return not any(character in value for character in "\r\n\0")

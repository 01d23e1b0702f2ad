"""Readers of request bodies, one class for each kind of media type: JSON, forms, text, bytes."""

from collections.abc import Mapping
from typing import Any, Protocol

from contract.media_types import is_json, is_text
from contract.problems import Violation
from contract.requests.forms import MultipartForm, URLEncodedForm
from contract.requests.strict_json import parse
from contract.requests.structures import Structures
from contract.spec.document import Document
from contract.spec.schemas import Schema, Schemas
from contract.spec.types import merged
from contract.violations import pointer

_BOUNDS = ("minLength", "maxLength", "pattern", "enum")


class BodyReader(Protocol):
    """Reads bodies of one media type. `default` is the value of a body that is not there."""

    default: Any
    is_text: bool
    file_arguments: frozenset[str]

    def read(self, content: bytes, content_type: str, arguments: dict[str, Any], violations: list[Violation]) -> Any:
        """Return the value of a body that is not empty; add what is wrong with it to the violations."""


class JSONBody:
    """A JSON document."""

    is_text = True
    file_arguments: frozenset[str] = frozenset()

    def __init__(self, schema: Schema | None, default: Any) -> None:
        self.default = default
        self._schema = schema

    def read(self, content: bytes, _content_type: str, _arguments: dict[str, Any], violations: list[Violation]) -> Any:
        """Return the document. Raise `Problem` (400) if it is not JSON."""
        document = parse(content)
        if self._schema is not None and not self._schema.is_valid(document):
            violations += violations_in(self._schema, document)
        return document


class TextBody:
    """Text in UTF-8; the handler gets a string."""

    is_text = True
    file_arguments: frozenset[str] = frozenset()

    def __init__(self, schema: Schema | None, default: Any) -> None:
        self.default = default
        self._schema = schema

    def read(self, content: bytes, _content_type: str, _arguments: dict[str, Any], violations: list[Violation]) -> Any:
        """Return the text."""
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            violations.append(Violation("pointer", "", f"is not UTF-8: byte {error.start} is invalid"))
            return ""
        if self._schema is not None and not self._schema.is_valid(text):
            violations += violations_in(self._schema, text)
        return text


class BytesBody:
    """Any other body; the handler gets bytes. Lengths and patterns of its schema count bytes."""

    is_text = False
    file_arguments: frozenset[str] = frozenset()

    def __init__(self, schema: Schema | None, default: Any) -> None:
        self.default = default
        self._schema = schema

    def read(self, content: bytes, _content_type: str, _arguments: dict[str, Any], violations: list[Violation]) -> Any:
        """Return the bytes."""
        if self._schema is not None:
            text = content.decode("latin-1")  # a character for each byte
            if not self._schema.is_valid(text):
                violations += violations_in(self._schema, text)
        return content


def reader_for(
    media_type: str, definition: Mapping[str, Any], document: Document, schemas: Schemas, structures: Structures
) -> BodyReader:
    """Return the reader for a media type of the contract (Media Type Object)."""
    name = media_type.partition(";")[0].strip().lower()
    schema = definition.get("schema")
    declared = merged(schema, document) if schema is not None else {}
    default = None if declared.get("nullable") else declared.get("default", {})
    if name == "application/x-www-form-urlencoded":
        return URLEncodedForm(definition, document, schemas, structures)
    if name == "multipart/form-data":
        return MultipartForm(definition, document, schemas, structures)
    compiled = schemas.compile(schema) if schema is not None else None
    if is_json(name):
        return JSONBody(compiled, default)
    if is_text(name) and declared.get("format") not in ("binary", "base64"):
        return TextBody(compiled if declared.get("type", "string") == "string" else None, default)
    is_bounded = declared.get("type") == "string" and any(keyword in declared for keyword in _BOUNDS)
    return BytesBody(compiled if is_bounded else None, default)


def violations_in(schema: Schema, value: Any) -> list[Violation]:
    """Return every violation of a body."""
    return [Violation("pointer", pointer(path), detail) for path, detail in schema.violations(value)]

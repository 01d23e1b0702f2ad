"""Readers of request bodies, one class for each kind of media type: JSON, forms, text, bytes."""

from collections.abc import Mapping
from typing import Any

from contract.media_types import is_json, is_text
from contract.problems import Violation
from contract.requests.forms import MultipartForm, URLEncodedForm
from contract.requests.reader import BodyReader
from contract.requests.strict_json import parse
from contract.requests.structures import Structures
from contract.spec.document import Document
from contract.spec.schemas import Schema, Schemas
from contract.spec.types import merged
from contract.violations import pointer

_BOUNDS = ("minLength", "maxLength", "pattern", "enum")


class SchemaBody(BodyReader):
    """A body with one value, which one schema validates."""

    def __init__(self, schema: Schema | None, default: Any) -> None:
        super().__init__(default)
        self._schema = schema

    def validate(self, value: Any, violations: list[Violation]) -> None:
        """Add what is wrong with the value to the violations."""
        if self._schema is not None and not self._schema.is_valid(value):
            violations += [
                Violation("pointer", pointer(path), detail) for path, detail in self._schema.violations(value)
            ]


class JSONBody(SchemaBody):
    """A JSON document."""

    def read(self, content: bytes, _content_type: str, _arguments: dict[str, Any], violations: list[Violation]) -> Any:
        """Return the document."""
        document = parse(content)
        self.validate(document, violations)
        return document


class TextBody(SchemaBody):
    """Text in UTF-8; the handler gets a string."""

    def read(self, content: bytes, _content_type: str, _arguments: dict[str, Any], violations: list[Violation]) -> Any:
        """Return the text."""
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            violations.append(Violation("pointer", "", f"is not UTF-8: byte {error.start} is invalid"))
            return ""
        self.validate(text, violations)
        return text


class BytesBody(SchemaBody):
    """Any other body; the handler gets bytes. Lengths and patterns of its schema count bytes."""

    is_text = False

    def read(self, content: bytes, _content_type: str, _arguments: dict[str, Any], violations: list[Violation]) -> Any:
        """Return the bytes."""
        if self._schema is not None:
            self.validate(content.decode("latin-1"), violations)  # a character for each byte
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

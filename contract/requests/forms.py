"""Forms: URL-encoded ones, and those in parts (multipart/form-data, RFC 7578), files included."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from contract.media_types import is_json
from contract.problems import Violation, bad_request
from contract.requests.raw import query_values
from contract.requests.reader import BodyReader
from contract.requests.strict_json import InvalidJSON, parse_text
from contract.requests.structures import ABSENT, Structure, Structures, claims, gather
from contract.spec.document import Document
from contract.spec.schemas import Schemas
from contract.spec.types import admitted, merged
from contract.violations import pointer

_DELIMITERS = {"form": ",", "spaceDelimited": " ", "pipeDelimited": "|"}
_FILE_FORMATS = ("binary", "base64")
_MAX_PARTS = 1000


class Field:
    """One property of a form, and how its raw values become its value."""

    def __init__(self, name: str, structure: Structure, encoding: Mapping[str, Any], *, is_multipart: bool) -> None:
        self.name = name
        self._structure = structure
        style = encoding.get("style", "form")
        self.is_deep = style == "deepObject"
        is_object = "object" in structure.types
        content_type = encoding.get("contentType", "application/json" if is_object and is_multipart else "")
        self._is_json = is_json(content_type) or (is_object and not self.is_deep)
        explode = encoding.get("explode", style == "form")
        self._delimiter = None if explode or structure.items is None else _DELIMITERS.get(style)

    def decode(self, values: list[str]) -> Any:
        """Return the value, or `ABSENT`. Raise `InvalidJSON`."""
        if self._is_json:
            return parse_text(values[0]) if len(values) == 1 else ABSENT
        if self._delimiter is not None and len(values) == 1:
            values = values[0].split(self._delimiter)
        return self._structure.decode_values(values)

    def decode_deep(self, form: Mapping[str, list[str]]) -> Any:
        """Return the value of a deep object's raw values."""
        return self._structure.decode(gather(self.name, form))


class Form(BodyReader):
    """What both kinds of forms have in common."""

    is_multipart = False

    def __init__(
        self, definition: Mapping[str, Any], document: Document, schemas: Schemas, structures: Structures
    ) -> None:
        schema = definition.get("schema", {})
        super().__init__(merged(schema, document).get("default", {}))
        encoding = definition.get("encoding", {})
        structure = structures.build(schema)
        self._schema = schemas.compile(schema)
        self._rest = structure.additional
        self._fields = {
            name: Field(name, part, encoding.get(name, {}), is_multipart=self.is_multipart)
            for name, part in structure.properties.items()
        }
        self._deep = [field for field in self._fields.values() if field.is_deep]

    def decode(self, raw: Mapping[str, list[str]], violations: list[Violation]) -> dict[str, Any]:
        """Return the form as an object whose properties have the types of the contract."""
        decoded: dict[str, Any] = {}
        for name, values in raw.items():
            deep = next((field for field in self._deep if name == field.name or claims(field.name, name)), None)
            if deep is not None:
                decoded[deep.name] = deep.decode_deep(raw)
            else:
                decoded[name] = self._decode_field(name, values, violations)
        for name in [name for name, value in decoded.items() if value is ABSENT]:
            del decoded[name]
            violations.append(Violation("pointer", pointer([name]), "is given more than once"))
        return decoded

    def validate(self, form: Mapping[str, Any], violations: list[Violation]) -> None:
        """Add what is wrong with the form to the violations; a property that is reported already counts once."""
        if not self._schema.is_valid(form):
            known = {violation.name for violation in violations}
            found = [(pointer(path), detail) for path, detail in self._schema.violations(form)]
            violations += [Violation("pointer", name, detail) for name, detail in found if name not in known]

    def _decode_field(self, name: str, values: list[str], violations: list[Violation]) -> Any:
        field = self._fields.get(name)
        if field is None:
            if self._rest is not None:
                return self._rest.decode_values(values)
            return values[0] if len(values) == 1 else values
        try:
            return field.decode(values)
        except InvalidJSON as error:
            violations.append(Violation("pointer", pointer([name]), str(error)))
            return None


class URLEncodedForm(Form):
    """A form in `application/x-www-form-urlencoded` (WHATWG URL §5.1)."""

    def read(self, content: bytes, _content_type: str, _arguments: dict[str, Any], violations: list[Violation]) -> Any:
        """Return the form as an object."""
        try:
            raw = query_values(content)
        except UnicodeDecodeError:
            raise bad_request([Violation("pointer", "", "is not percent-encoded UTF-8")]) from None
        form = self.decode(raw, violations)
        self.validate(form, violations)
        return form


class MultipartForm(Form):
    """A form in `multipart/form-data`.

    The handler gets the fields in the body, and each file as an argument of its property's name: a werkzeug
    `FileStorage`, or a list of them for an array.
    """

    is_multipart = True

    def __init__(
        self, definition: Mapping[str, Any], document: Document, schemas: Schemas, structures: Structures
    ) -> None:
        super().__init__(definition, document, schemas, structures)
        properties = merged(definition.get("schema", {}), document).get("properties", {})
        self._files = {
            name: is_many for name, part in properties.items() if (is_many := _files(part, document)) is not None
        }
        self.file_arguments = frozenset(self._files)

    def read(self, content: bytes, content_type: str, arguments: dict[str, Any], violations: list[Violation]) -> Any:
        """Return the fields; add the files to the arguments."""
        media_type, options = parse_options_header(content_type)
        if "boundary" not in options:
            raise bad_request([Violation("pointer", "", "has no boundary in its Content-Type")])
        parser = FormDataParser(_in_memory, max_form_memory_size=None, max_form_parts=_MAX_PARTS, silent=False)
        try:
            _, fields, files = parser.parse(BytesIO(content), media_type, len(content), options)
        except (ValueError, RequestEntityTooLarge):
            raise bad_request([Violation("pointer", "", "is not a valid multipart form")]) from None
        if None in fields or None in files:
            raise bad_request([Violation("pointer", "", "has a part without a name")])
        form = self.decode({name: values for name, values in fields.lists() if name not in self._files}, violations)
        uploads = {name: found for name, found in files.lists() if name in self._files}
        for name, values in fields.lists():  # a file that came without a file name
            if name in self._files:
                uploads.setdefault(name, []).extend(FileStorage(BytesIO(v.encode()), name=name) for v in values)
        self.validate(form | self._placeholders(uploads, files, violations), violations)
        arguments |= {name: found if self._files[name] else found[0] for name, found in uploads.items()}
        return form

    def _placeholders(
        self, uploads: Mapping[str, list[Any]], files: Any, violations: list[Violation]
    ) -> dict[str, Any]:
        """Return what stands for the files where the form is validated: an empty string for each."""
        for name, found in uploads.items():
            if len(found) > 1 and not self._files[name]:
                violations.append(Violation("pointer", pointer([name]), "is given more than once"))
        unexpected = {name: [""] * len(found) for name, found in files.lists() if name not in self._files}
        return unexpected | {name: [""] * len(found) if self._files[name] else "" for name, found in uploads.items()}


def _in_memory(*_arguments: Any, **_options: Any) -> BytesIO:
    """Return a stream for a file. It is in memory already, within the limit for bodies."""
    return BytesIO()


def _files(schema: Mapping[str, Any], document: Document) -> bool | None:
    """Return whether a property is an array of files; None if it is no file at all."""
    declared = merged(schema, document)
    if "string" in admitted(schema, document) and declared.get("format") in _FILE_FORMATS:
        return False
    items = merged(declared["items"], document) if "items" in declared else {}
    return True if items.get("format") in _FILE_FORMATS else None

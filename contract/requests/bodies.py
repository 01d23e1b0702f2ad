"""Request bodies: the media type is checked, the body is read within the limit, decoded and validated."""

import math
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from contract.media_types import MAX_REMEMBERED, MediaTypes, parse_content_type
from contract.problems import Problem, Violation
from contract.requests.body_readers import reader_for
from contract.requests.reader import BodyReader
from contract.requests.structures import Structures
from contract.spec.document import Document
from contract.spec.operations import Operation
from contract.spec.schemas import Schemas

_MAX_LENGTH_DIGITS = 18
_UTF_8 = (None, "utf-8", "utf8")


class Body:
    """The request body of one operation, with a reader for each of its media types."""

    def __init__(self, operation: Operation, document: Document, schemas: Schemas) -> None:
        definition = operation.request_body or {}
        structures = Structures(document, schemas)
        self.argument = operation.body_argument
        self.required = bool(definition.get("required"))
        self._readers: MediaTypes[BodyReader] = MediaTypes(
            {
                name: reader_for(name, part, document, schemas, structures)
                for name, part in definition.get("content", {}).items()
            }
        )
        self._allowed = ", ".join(self._readers.names)
        self._headers = {"Accept": self._allowed}
        if operation.method == "patch":
            self._headers["Accept-Patch"] = self._allowed  # RFC 5789 §2.2
        self._remembered: dict[str, BodyReader] = {}

    @property
    def file_arguments(self) -> set[str]:
        """The names of the arguments for files: those of the form's properties."""
        found = (self._readers.find(name.lower()) for name in self._readers.names)
        return {argument for reader in found if reader is not None for argument in reader[1].file_arguments}

    def reader(self, headers: Mapping[bytes, str]) -> BodyReader | None:
        """Return the reader for the media type that the headers announce; None if they announce no body.

        Raise `Problem` (415) for a media type or a charset that the contract does not have, and for a content coding.
        """
        if b"content-encoding" in headers:
            _check_coding(headers[b"content-encoding"])
        header = headers.get(b"content-type")
        if header in self._remembered:
            return self._remembered[header]
        has_body = headers.get(b"content-length", "0") != "0" or b"transfer-encoding" in headers
        if header is None and not has_body:
            return None
        return self._checked(header)

    def read(
        self, reader: BodyReader | None, content: bytes, headers: Mapping[bytes, str], arguments: dict[str, Any]
    ) -> list[Violation]:
        """Add the body to the handler's arguments; return its violations."""
        violations: list[Violation] = []
        if not content:
            arguments[self.argument] = self._default(reader)
            return [Violation("pointer", "", "is required")] if self.required else []
        reader = reader or self._checked(None)
        content_type = headers.get(b"content-type", "")
        arguments[self.argument] = reader.read(content, content_type, arguments, violations)
        return violations

    def _checked(self, header: str | None) -> BodyReader:
        """Return the reader for a `Content-Type`; without one, the body is application/octet-stream (RFC 9110 §8.3)."""
        name, charset = ("application/octet-stream", None) if header is None else parse_content_type(header)
        found = self._readers.find(name)
        if found is None or (found[1].is_text and charset not in _UTF_8):
            given = "the header is missing" if header is None else f"it is {header[:100]}"
            detail = f"Content-Type must be {self._allowed}, with charset UTF-8 or none; {given}."
            raise Problem(415, detail, headers=self._headers)
        if header is not None and len(self._remembered) < MAX_REMEMBERED and len(header) <= MAX_REMEMBERED:
            self._remembered[header] = found[1]
        return found[1]

    def _default(self, reader: BodyReader | None) -> Any:
        """Return the value of a body that is not there: the default of its media type, else of the first one."""
        if reader is not None:
            return deepcopy(reader.default)
        first = self._readers.find(self._readers.names[0].lower()) if self._readers.names else None
        return deepcopy(first[1].default) or {} if first is not None else {}


def _check_coding(header: str) -> None:
    """Raise `Problem` (415) for a body that is encoded (RFC 9110 §8.4.1, §12.5.3). `identity` means that it is not."""
    if any(coding.strip().lower() not in ("", "identity") for coding in header.split(",")):
        detail = f"Content-Encoding must be identity or missing; it is {header[:100]}."
        raise Problem(415, detail, headers={"Accept-Encoding": "identity"})


def check_length(length: str | None, limit: float) -> None:
    """Raise `Problem` for a `Content-Length` above `limit` bytes (413), or that is not a number (400)."""
    if length is not None:
        if not (length.isascii() and length.isdigit()):
            raise Problem(400, "Content-Length must be a number of bytes.")
        if len(length) > _MAX_LENGTH_DIGITS or int(length) > limit:
            raise _too_large(limit)


async def read_body(receive: Receive, limit: float = math.inf) -> bytes:
    """Return the whole body, in however many pieces it comes. Raise `Problem` (413) above `limit` bytes."""
    chunks: list[bytes] = []
    received = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        received += len(chunk)
        if received > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def limited(receive: Receive, limit: float) -> Receive:
    """Return `receive` that raises `Problem` (413) when the body grows beyond `limit` bytes."""
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise _too_large(limit)
        return message

    return receive_limited


def replayed(content: bytes, receive: Receive) -> Receive:
    """Return `receive` as it was before the body was read, for handlers that use `connexion.request`."""
    messages = [{"type": "http.request", "body": content, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _too_large(limit: float) -> Problem:
    return Problem(413, f"The body may have at most {limit:.0f} bytes.")

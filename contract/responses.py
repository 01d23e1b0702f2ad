"""Responses, compiled: what a handler returns, held against the contract on its way to bytes."""

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

from connexion.datastructures import MediaTypeDict
from connexion.utils import is_json_mimetype
from werkzeug.utils import get_content_type

from contract import documents
from contract.negotiation import media_type
from contract.parameters import merged, scalar
from contract.problems import MEDIA_TYPE, Problem
from contract.returned import Returned, take_apart
from contract.routes import Operation
from contract.schemas import Document, Path, Schema
from contract.violations import pointer

logger = logging.getLogger(__name__)
WireHeaders = list[tuple[bytes, bytes]]
Pieces = Iterator[Any] | AsyncIterator[Any]
_FRAMING = ("content-length", "transfer-encoding", "connection")  # the server's business


class ContractBrokenError(Exception):
    """A handler's answer is not in the contract. The message is for the log; the client learns nothing of it."""


# An answer as it leaves: its status, its headers, and its body in one piece or as an iterator over the pieces.
Answer = tuple[int, WireHeaders, bytes | Pieces]


class Header:
    """A documented response header."""

    def __init__(self, name: str, header: Mapping[str, Any], document: Document) -> None:
        self.name = name
        self.key = name.lower()
        self.required = bool(header.get("required"))
        self.is_valid = _header_check(header.get("schema", {}), document)

    def fault(self, text: str | None) -> str | None:
        """What is wrong with the header's value, or with its absence."""
        if text is None:
            return f"the header {self.name} is missing" if self.required else None
        if self.is_valid(text):
            return None
        return f"the header {self.name} has the value {text!r}, which does not fit its schema"


def _header_check(schema: Mapping[str, Any], document: Document) -> Callable[[str], bool]:
    """Whether a header with this schema may have a value. Arrays and objects are taken as they are."""
    declared = merged(schema, document)
    is_valid = Schema(schema, document, response=True).is_valid
    if declared.get("type") in ("array", "object"):
        return lambda _text: True
    if declared.get("type") == "string":
        return is_valid
    decode = scalar(declared)
    return lambda text: is_valid(decode(text))


class Response:
    """One documented response: the media types it can have, each with its schema, and its headers."""

    def __init__(self, response: Mapping[str, Any], document: Document, added: frozenset[str]) -> None:
        self.schemas: Mapping[str, Schema | None] = MediaTypeDict(
            (name.lower(), Schema(part["schema"], document, response=True) if "schema" in part else None)
            for name, part in response.get("content", {}).items()
        )
        self.only = next((name for name in self.schemas if len(self.schemas) == 1 and "*" not in name), None)
        self.headers = [
            Header(name, header, document)
            for name, header in response.get("headers", {}).items()
            if name not in added and name.lower() != "content-type"  # OpenAPI 3.0.3: Content-Type is ignored here
        ]
        self._checks = {h.name: (_wire_name(h.key), h.is_valid, h.required) for h in self.headers}
        self._required = sum(header.required for header in self.headers)
        schema = self.schemas[self.only] if self.only is not None and is_json_mimetype(self.only) else None
        self._is_valid = schema.is_valid if schema else None
        self._content_type = (b"content-type", str(self.only).encode())

    def schema(self, name: str) -> Schema | None:
        """The schema for a media type, which the spec may give for a range (`image/*`)."""
        return self.schemas.get(name)

    def straight(self, data: Any, status: int, headers: dict[str, str]) -> Answer | None:
        """The answer, if all of it is as documented, to the letter; None if that must be looked into."""
        wire: WireHeaders = []
        missing = self._required
        for name, value in headers.items():
            check = self._checks.get(name)
            if check is None or type(value) is not str or not value.isprintable() or not check[1](value):
                return None
            wire.append((check[0], value.encode("latin-1")))
            missing -= check[2]
        if missing:
            return None
        if not self.schemas and data is None:
            return status, wire, b""
        if self._is_valid is None:
            return None
        try:
            if not self._is_valid(data):
                return None
        except ValueError:  # not JSON's own types
            return None
        wire.append(self._content_type)
        return status, wire, documents.encode(data)


class Responses:
    """All documented responses of one operation. `added`: headers that are added later, to every answer.

    With `enforce`, an answer that is not in the contract raises `ContractBrokenError`; without, it is logged and sent.
    """

    def __init__(self, operation: Operation, document: Document, added: frozenset[str], *, enforce: bool) -> None:
        self._operation_id = operation.operation_id
        self._enforce = enforce
        self._documented = {
            status: Response(response, document, added)
            for status, response in operation.definition["responses"].items()
        }
        self._by_status = {int(status): response for status, response in self._documented.items() if status.isdigit()}

    def documented(self, status: int) -> Response | None:
        """The response for a status: its own, that of its class (`4XX`), or the default."""
        found = self._documented.get(str(status)) or self._documented.get(f"{status // 100}XX")
        return found or self._documented.get("default")

    def answer(self, returned: Any) -> Answer:
        """The answer that a handler's return value stands for."""
        if type(returned) is tuple and len(returned) == 3:
            data, status, headers = returned
            response = self._by_status.get(status) if type(status) is int else None
            if response is not None and type(headers) is dict and (answer := response.straight(data, status, headers)):
                return answer
        return self._examined(take_apart(returned))

    def _examined(self, returned: Returned) -> Answer:
        """The same, whatever form it has, and with a report of what is wrong."""
        data, status, headers, encoded = returned
        response = self.documented(status)
        pairs = [
            (name.lower(), str(value)) for name, value in (headers if isinstance(headers, list) else headers.items())
        ]
        if any(not _is_sendable(value) for _, value in pairs):
            raise ContractBrokenError(f"The handler {self._operation_id} answered a header with control characters")
        keys = dict(pairs)
        wire = [(_wire_name(name), value.encode("latin-1")) for name, value in pairs if name not in _FRAMING]
        if response is None:
            self._broken(f"status {status} is not documented")
            named = [] if "content-type" in keys or data is None else [(b"content-type", b"application/json")]
            return status, wire + named, data if encoded else b"" if data is None else self._encoded(data, status)
        for header in response.headers:
            if fault := header.fault(keys.get(header.key)):
                self._broken(f"status {status}: {fault}")
        if not response.schemas:
            if data not in (None, b""):
                self._broken(f"status {status} has a body, and none is documented")
            return status, wire, b""
        name = self._media_type(response, keys.get("content-type"), data, status)
        wire = [pair for pair in wire if pair[0] != b"content-type"]
        content_type = keys.get("content-type", name)
        if "charset" not in content_type:
            content_type = get_content_type(content_type, "utf-8")
        wire.append((b"content-type", content_type.encode("latin-1")))
        return status, wire, self._body(response.schema(name), name, data, status, encoded=encoded)

    def problem(self, problem: Problem) -> Answer:
        """The answer for a problem that a handler raised."""
        response = self.documented(problem.status)
        if response is None:
            self._broken(f"problem {problem.status} is not documented")
        else:
            for header in response.headers:
                if fault := header.fault(problem.headers.get(header.name)):
                    self._broken(f"problem {problem.status}: {fault}")
            if MEDIA_TYPE not in response.schemas:
                self._broken(f"problem {problem.status} cannot have the media type {MEDIA_TYPE}")
            schema = response.schemas.get(MEDIA_TYPE)
            if schema is not None:
                self._check(schema, problem.document(), problem.status)
        return problem.status, problem.wire_headers(), problem.body()

    def _media_type(self, response: Response, content_type: str | None, data: Any, status: int) -> str:
        usual = "text/plain" if isinstance(data, str) else "application/octet-stream" if isinstance(data, bytes) else ""
        name = media_type(content_type)[0] if content_type else response.only or (usual in response.schemas and usual)
        if not name:
            self._broken(f"status {status} can have several media types, and the handler named none")
            return next(iter(response.schemas))
        if name not in response.schemas:
            self._broken(f"status {status} cannot have the media type {name}")
        return str(name)

    def _body(self, schema: Schema | None, name: str, data: Any, status: int, *, encoded: bool) -> bytes | Pieces:
        is_pieces = hasattr(data, "__next__") or hasattr(data, "__anext__")
        if not is_json_mimetype(name):
            if schema is not None and (text := _text_in(name, data)) is not None:
                self._check(schema, text, status)
            return data if is_pieces else b"".join(map(_text, data)) if isinstance(data, list) else _text(data)
        if not encoded and not is_pieces:
            body = self._encoded(data, status)
        elif hasattr(data, "__anext__"):
            return cast(Pieces, data)
        else:
            body = data if isinstance(data, bytes) else b"".join(map(_text, data))
        if schema is not None:
            try:
                self._check(schema, documents.read(body), status)
            except ValueError:
                self._broken(f"status {status}: the body is not JSON")
        return body

    def _encoded(self, data: Any, status: int) -> bytes:
        try:
            return documents.encode(data)
        except TypeError:
            self._broken(f"status {status}: the body is not JSON, it is of type {type(data).__name__}")
            return _text(data)

    def _check(self, schema: Schema, document: Any, status: int) -> None:
        if not schema.is_valid(document):
            self._broken(f"status {status}: {report('the body', document, schema.violations(document))}")

    def _broken(self, fault: str) -> None:
        message = f"The handler {self._operation_id} broke its contract: {fault}"
        if self._enforce:
            raise ContractBrokenError(message)
        logger.error(message)


def report(what: str, document: Any, violations: Iterable[tuple[Path, str]]) -> str:
    """What is wrong with a document, for the log: each place, its rule, and the type of what stands there."""
    places = (
        f"{pointer(path) or 'the whole'} {detail} (it is of type {_type_at(document, path)})"
        for path, detail in violations
    )
    return f"{what} does not fit its schema: {'; '.join(places)}"


def _type_at(document: Any, path: Path) -> str:
    for step in path:
        try:
            document = document[int(step)] if isinstance(document, list) else document[step]
        except (KeyError, IndexError, TypeError):
            return "nothing"
    return type(document).__name__


@lru_cache(maxsize=1024)
def _wire_name(name: str) -> bytes:
    return name.encode("latin-1")


def _text_in(name: str, data: Any) -> str | None:
    """The text that a body of this media type is, if it is one and there as a whole."""
    if isinstance(data, bytes) and get_content_type(name, "utf-8") != name:
        return data.decode("utf-8", "replace")
    return data if isinstance(data, str) else None


def _text(data: Any) -> bytes:
    return data if isinstance(data, bytes) else b"" if data is None else str(data).encode()


def _is_sendable(value: str) -> bool:
    """Whether a header can have this value: no line break, no NUL (RFC 9110 §5.5)."""
    return not any(character in value for character in "\r\n\0")

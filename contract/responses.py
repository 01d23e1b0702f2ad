"""Responses, compiled: what a handler returns, held against the contract on its way to bytes."""

import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from connexion.datastructures import NoContent
from connexion.lifecycle import ConnexionResponse
from connexion.utils import is_json_mimetype
from flask.json.provider import _default as to_json  # dates, decimals, UUIDs and data classes, as in Flask
from werkzeug.wrappers import Response as WerkzeugResponse

from contract.negotiation import media_type
from contract.parameters import decode, merged
from contract.problems import MEDIA_TYPE, Problem
from contract.routes import Operation
from contract.schemas import Document, Path, Schema
from contract.violations import pointer

logger = logging.getLogger(__name__)
WireHeaders = list[tuple[bytes, bytes]]
Pieces = Iterator[Any] | AsyncIterator[Any]
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_DATETIME


class ContractBrokenError(Exception):
    """A handler's answer is not in the contract. The message is for the log; the client learns nothing of it."""


class Answer(NamedTuple):
    """An answer as it leaves: its body in one piece, or an iterator over the pieces."""

    status: int
    headers: WireHeaders
    body: bytes | Pieces


class Returned(NamedTuple):
    """What a handler returned, taken apart. `encoded`: the data is a body already, in bytes or pieces."""

    data: Any
    status: int
    headers: dict[str, str]
    encoded: bool = False


class Header:
    """A documented response header."""

    def __init__(self, name: str, header: Mapping[str, Any], document: Document) -> None:
        self.name = name
        self.key = name.lower()
        self.required = bool(header.get("required"))
        self._declared = merged(header.get("schema", {}), document)
        self._is_text = self._declared.get("type") == "string"
        self._is_structured = self._declared.get("type") in ("array", "object")
        self._is_valid = Schema(header.get("schema", {}), document, response=True).is_valid

    def is_valid(self, text: str) -> bool:
        """Whether the header may have this value. Arrays and objects are taken as they are."""
        return self._is_structured or self._is_valid(text if self._is_text else decode(self._declared, text))

    def fault(self, text: str | None) -> str | None:
        """What is wrong with the header's value, or with its absence."""
        if text is None:
            return f"the header {self.name} is missing" if self.required else None
        if self.is_valid(text):
            return None
        return f"the header {self.name} has the value {text!r}, which does not fit its schema"


class Response:
    """One documented response: the media types it can have, each with its schema, and its headers."""

    def __init__(self, response: Mapping[str, Any], document: Document, added: frozenset[str]) -> None:
        self.schemas: dict[str, Schema | None] = {
            name.lower(): Schema(part["schema"], document, response=True) if "schema" in part else None
            for name, part in response.get("content", {}).items()
        }
        self.only = next(iter(self.schemas)) if len(self.schemas) == 1 else None
        self.headers = [
            Header(name, header, document)
            for name, header in response.get("headers", {}).items()
            if name not in added and name.lower() != "content-type"  # OpenAPI 3.0.3: Content-Type is ignored here
        ]
        self._checks = {header.name: (_wire_name(header.key), header.is_valid) for header in self.headers}
        self._required = {header.name for header in self.headers if header.required}
        schema = self.schemas[self.only] if self.only is not None and is_json_mimetype(self.only) else None
        self._is_valid = schema.is_valid if schema else None
        self._content_type = (b"content-type", str(self.only).encode())

    def straight(self, data: Any, status: int, headers: dict[str, str]) -> Answer | None:
        """The answer, if all of it is as documented, to the letter; None if that must be looked into."""
        wire: WireHeaders = []
        for name, value in headers.items():
            check = self._checks.get(name)
            if check is None or not check[1](value):
                return None
            wire.append((check[0], value.encode("latin-1")))
        if not self._required <= headers.keys():
            return None
        if not self.schemas and data is None:
            return Answer(status, wire, b"")
        if self._is_valid is None:
            return None
        try:
            if not self._is_valid(data):
                return None
        except ValueError:  # not JSON's own types
            return None
        wire.append(self._content_type)
        return Answer(status, wire, orjson.dumps(data, option=_OPTIONS))


class Responses:
    """All documented responses of one operation. `added`: headers that are added later, to every answer.

    With `enforce`, an answer that is not in the contract raises `ContractBrokenError`; without, it is logged and sent.
    """

    def __init__(self, operation: Operation, document: Document, added: frozenset[str], *, enforce: bool) -> None:
        self._operation_id = operation.operation_id
        self._enforce = enforce
        self._known: dict[int, Response | None] = {}
        self._documented = {
            status: Response(response, document, added)
            for status, response in operation.definition["responses"].items()
        }

    def documented(self, status: int) -> Response | None:
        """The response for a status: its own, that of its class (`4XX`), or the default."""
        found = self._documented.get(str(status)) or self._documented.get(f"{status // 100}XX")
        return found or self._documented.get("default")

    def answer(self, returned: Any) -> Answer:
        """The answer that a handler's return value stands for."""
        data, status, headers, encoded = _take_apart(returned)
        response = self._known.get(status)
        if response is not None and not encoded and (answer := response.straight(data, status, headers)):
            return answer
        response = self._known[status] = self.documented(status)
        keys = {name.lower(): value for name, value in headers.items()}
        wire = [(_wire_name(name), value.encode("latin-1")) for name, value in keys.items()]
        if response is None:
            self._broken(f"status {status} is not documented")
            return Answer(status, wire, data if encoded else _encode(data))
        for header in response.headers:
            if fault := header.fault(keys.get(header.key)):
                self._broken(f"status {status}: {fault}")
        if not response.schemas:
            if data not in (None, b""):
                self._broken(f"status {status} has a body, and none is documented")
            return Answer(status, wire, b"")
        name = self._media_type(response, keys.get("content-type"), status)
        if "content-type" not in keys:
            wire.append((b"content-type", _with_charset(name)))
        return Answer(status, wire, self._body(response.schemas.get(name), name, data, status, encoded=encoded))

    def problem(self, problem: Problem) -> Answer:
        """The answer for a problem that a handler raised."""
        response = self.documented(problem.status)
        if response is None:
            self._broken(f"problem {problem.status} is not documented")
        else:
            for header in response.headers:
                if fault := header.fault(problem.headers.get(header.name)):
                    self._broken(f"problem {problem.status}: {fault}")
            schema = response.schemas.get(MEDIA_TYPE)
            if schema is not None:
                self._check(schema, problem.document(), problem.status)
        return Answer(problem.status, problem.wire_headers(), problem.body())

    def _media_type(self, response: Response, content_type: str | None, status: int) -> str:
        name = media_type(content_type)[0] if content_type else response.only
        if name is None:
            self._broken(f"status {status} can have several media types, and the handler named none")
            return next(iter(response.schemas))
        if name not in response.schemas:
            self._broken(f"status {status} cannot have the media type {name}")
        return str(name)

    def _body(self, schema: Schema | None, name: str, data: Any, status: int, *, encoded: bool) -> bytes | Pieces:
        if not is_json_mimetype(name):
            if schema is not None and isinstance(data, str):
                self._check(schema, data, status)
            return data if isinstance(data, bytes) or hasattr(data, "__next__") else _text(data)
        if not encoded and not hasattr(data, "__next__"):
            return self._json(schema, data, status)
        body = data if isinstance(data, bytes) else b"".join(map(_text, data))
        if schema is not None:
            self._check(schema, orjson.loads(body), status)
        return body

    def _json(self, schema: Schema | None, data: Any, status: int) -> bytes:
        body = _encode(data)
        if schema is not None:
            try:
                if schema.is_valid(data):
                    return body
            except ValueError:  # not JSON's own types (dates, decimals): what they become is what counts
                data = orjson.loads(body)
            self._check(schema, data, status)
        return body

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


def _take_apart(returned: Any) -> Returned:
    if type(returned) is tuple:
        if len(returned) == 3 and type(returned[1]) is int and type(returned[2]) is dict:
            return Returned(*returned) if returned[0] is not NoContent else Returned(None, *returned[1:])
        data, *rest = returned
        status = next((int(part) for part in rest if not isinstance(part, Mapping)), None)
        headers = next((dict(part) for part in rest if isinstance(part, Mapping)), {})
        data = None if data is NoContent else data
        return Returned(data, status or (204 if data is None else 200), headers)
    if isinstance(returned, WerkzeugResponse):
        body = returned.iter_encoded() if returned.is_streamed else returned.get_data()
        return Returned(body, returned.status_code, dict(returned.headers.items()), encoded=True)
    if isinstance(returned, ConnexionResponse):
        return Returned(_text(returned.body), returned.status_code, dict(returned.headers), encoded=True)
    data = None if returned is NoContent else returned
    return Returned(data, 204 if data is None else 200, {})


@lru_cache(maxsize=1024)
def _wire_name(name: str) -> bytes:
    return name.encode("latin-1")


def _encode(data: Any) -> bytes:
    return orjson.dumps(data, default=to_json, option=_OPTIONS)


def _text(data: Any) -> bytes:
    return data if isinstance(data, bytes) else b"" if data is None else str(data).encode()


def _with_charset(name: str) -> bytes:
    return f"{name}; charset=utf-8".encode() if name.startswith("text/") else name.encode()

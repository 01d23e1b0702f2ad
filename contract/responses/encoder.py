"""Encodes the results of one operation's handler, and validates them against the contract on their way out."""

import logging
from collections.abc import Mapping
from typing import Any, cast

from werkzeug.utils import get_content_type

from contract.media_types import MediaTypes, is_json, parse_content_type
from contract.problems import MEDIA_TYPE, Problem
from contract.responses import json_body
from contract.responses.data import is_document, text_of, to_bytes
from contract.responses.headers import ADDED_HEADERS, Header, is_sendable, wire_headers
from contract.responses.report import report
from contract.responses.response import Pieces, Response, WireHeaders
from contract.responses.results import HandlerResult, normalize
from contract.spec.document import Document
from contract.spec.operations import Operation
from contract.spec.schemas import Schema, Schemas
from contract.violations import OnViolation, ignore

logger = logging.getLogger(__name__)
_NO_BODY = (204, 205, 304)


class ContractViolation(Exception):  # noqa: N818 -- what it is called in the log
    """A response does not match the contract. The message is for the log; the client does not see it."""


class DocumentedResponse:
    """One response of the contract (Response Object): its headers, and the schema of each media type."""

    def __init__(self, response: Mapping[str, Any], document: Document, schemas: Schemas) -> None:
        self.content: MediaTypes[Schema | None] = MediaTypes(
            {
                name: schemas.compile(part["schema"]) if "schema" in part else None
                for name, part in response.get("content", {}).items()
            }
        )
        names = [name.partition(";")[0].strip().lower() for name in self.content.names]
        self.only = names[0] if len(names) == 1 and "*" not in names[0] else None
        self.json = next((name for name in names if is_json(name) and "*" not in name), None)
        self.headers = [
            Header(name, header, document, schemas)
            for name, header in response["headers"].items()
            if name.lower() not in ADDED_HEADERS and name.lower() != "content-type"  # ignored here, says OpenAPI
        ]
        self._by_name = {header.name: header for header in self.headers}
        self._required = sum(header.required for header in self.headers)
        found = self.content.find(self.only) if self.only is not None and is_json(self.only) else None
        self._is_valid = found[1].is_valid if found is not None and found[1] is not None else None
        self._content_type = (b"content-type", str(self.only).encode())

    def encode_usual(self, data: Any, status: int, headers: dict[str, str]) -> Response | None:
        """Encode the usual result, which is valid exactly as it is; None for any other.

        Invariant: what this returns, `Encoder.encode_any` returns as well.
        """
        wire = self._usual_headers(headers)
        if wire is None:
            return None
        if self._is_valid is not None:
            try:
                if self._is_valid(data):
                    wire.append(self._content_type)
                    return Response(status, wire, json_body.encode(data))
            except ValueError:  # the data has other types than JSON's
                return None
        return Response(status, wire, b"") if data is None and not self.content else None

    def _usual_headers(self, headers: dict[str, str]) -> WireHeaders | None:
        """Return the headers if they are the documented ones, valid, in the contract's spelling, and complete."""
        wire: WireHeaders = []
        missing = self._required
        for name, value in headers.items():
            header = self._by_name.get(name)
            if header is None or type(value) is not str or not value.isprintable() or not header.is_valid(value):
                return None
            wire.append((header.wire_name, value.encode("latin-1")))
            missing -= header.required
        return None if missing else wire


class Encoder:
    """Encodes what one operation's handler returns or raises.

    With `enforce`, a response that violates the contract raises `ContractViolation`; without, it is logged and sent.
    """

    def __init__(
        self,
        operation: Operation,
        document: Document,
        schemas: Schemas,
        *,
        enforce: bool,
        on_violation: OnViolation = ignore,
    ) -> None:
        self._operation_id = operation.operation_id
        self._enforce = enforce
        self._on_violation = on_violation
        self._documented = {
            status.upper(): DocumentedResponse(response, document, schemas)
            for status, response in operation.definition["responses"].items()
        }
        self._by_status = {int(status): response for status, response in self._documented.items() if status.isdigit()}

    def encode(self, returned: Any) -> Response:
        """Return the response that a handler result stands for."""
        if type(returned) is tuple and len(returned) == 3:
            data, status, headers = returned
            documented = self._by_status.get(status) if type(status) is int else None
            if documented is not None and type(headers) is dict:
                response = documented.encode_usual(data, status, headers)
                if response is not None:
                    return response
        return self.encode_any(returned)

    def encode_any(self, returned: Any) -> Response:
        """Encode a result of any form, and report everything that is wrong with it."""
        result = normalize(returned)
        documented = self.documented(result.status)
        pairs = [(name.lower(), str(value)) for name, value in result.headers]
        if any(not is_sendable(value) for _, value in pairs):
            self._on_violation("response", self._operation_id)
            raise ContractViolation(f"The handler {self._operation_id} returned a header with control characters")
        given = dict(pairs)
        wire = [pair for pair in wire_headers(pairs) if pair[0] != b"content-type"]
        if documented is None:
            self._violation(f"status {result.status} is not documented")
        for header in documented.headers if documented is not None else ():
            if fault := header.fault(given.get(header.key)):
                self._violation(f"status {result.status}: {fault}")
        if result.status in _NO_BODY or (result.data is None and (documented is None or not documented.content)):
            if result.data not in (None, b""):
                self._violation(f"status {result.status} has a body, and none is documented")
            return Response(result.status, wire, b"")
        content_type = self._content_type(documented, given.get("content-type"), result)
        schema = self._schema(documented, content_type, result.status)
        body = self._body(schema, content_type, result)
        if "charset" not in content_type:
            content_type = get_content_type(content_type, "utf-8")
        wire.append((b"content-type", content_type.encode("latin-1")))
        return Response(result.status, wire, body)

    def encode_problem(self, problem: Problem) -> Response:
        """Return the response for a problem that a handler raised."""
        documented = self.documented(problem.status)
        if documented is None:
            self._violation(f"problem {problem.status} is not documented")
            return problem_response(problem)
        for header in documented.headers:
            if fault := header.fault(problem.headers.get(header.name)):
                self._violation(f"problem {problem.status}: {fault}")
        found = documented.content.find(MEDIA_TYPE)
        if found is None:
            self._violation(f"problem {problem.status} cannot have the media type {MEDIA_TYPE}")
        elif found[1] is not None:
            self._validate(found[1], problem.document(), problem.status)
        return problem_response(problem)

    def documented(self, status: int) -> DocumentedResponse | None:
        """Return what the contract has for a status: itself, its class (`4XX`), or the default."""
        found = self._by_status.get(status) or self._documented.get(f"{status // 100}XX")
        return found or self._documented.get("DEFAULT")

    def _content_type(self, documented: DocumentedResponse | None, given: str | None, result: HandlerResult) -> str:
        """Return the `Content-Type`: the handler's, or the one that the contract and the data leave."""
        if given is not None:
            return given
        data = result.data
        is_bytes = isinstance(data, bytes) or hasattr(data, "__next__") or hasattr(data, "__anext__")
        usual = (
            "text/plain" if isinstance(data, str) else "application/octet-stream" if is_bytes else "application/json"
        )
        if documented is None or not documented.content:
            return usual
        if documented.only is not None:
            return documented.only
        if usual != "application/json" and documented.content.find(usual) is not None:
            return usual
        self._violation(f"status {result.status} can have several media types, and the handler named none")
        return (documented.json or usual) if usual == "application/json" else usual

    def _schema(self, documented: DocumentedResponse | None, content_type: str, status: int) -> Schema | None:
        """Return the schema of a response with this `Content-Type`; what has no `content` is not validated."""
        if documented is None or not documented.content:
            return None
        name = parse_content_type(content_type)[0]
        found = documented.content.find(name)
        if found is None:
            self._violation(f"status {status} cannot have the media type {name}")
            return None
        return found[1]

    def _body(self, schema: Schema | None, content_type: str, result: HandlerResult) -> bytes | Pieces:
        data, status = result.data, result.status
        name = parse_content_type(content_type)[0]
        in_pieces = hasattr(data, "__next__") or hasattr(data, "__anext__")
        if not is_json(name):
            if schema is not None and (text := text_of(name, data)) is not None:
                self._validate(schema, text, status)
            if in_pieces:
                return cast("Pieces", data)
            if isinstance(data, list) and all(isinstance(piece, str | bytes) for piece in data):
                return b"".join(map(to_bytes, data))
            return self._json(data, status) if is_document(data) else to_bytes(data)
        if hasattr(data, "__anext__"):
            return cast("Pieces", data)
        if not result.encoded and not in_pieces:
            body = self._json(data, status)
        else:
            body = data if isinstance(data, bytes) else b"".join(map(to_bytes, data))
        self._validate_json(schema, body, status)
        return body

    def _json(self, data: Any, status: int) -> bytes:
        try:
            return json_body.encode(data)
        except TypeError:
            self._violation(f"status {status}: the body is not JSON, it is of type {type(data).__name__}")
            return to_bytes(data)

    def _validate_json(self, schema: Schema | None, body: bytes, status: int) -> None:
        if schema is not None:
            try:
                self._validate(schema, json_body.decode(body), status)
            except ValueError:
                self._violation(f"status {status}: the body is not JSON")

    def _validate(self, schema: Schema, document: Any, status: int) -> None:
        if not schema.is_valid(document):
            self._violation(f"status {status}: {report(document, schema.violations(document))}")

    def _violation(self, fault: str) -> None:
        message = f"The handler {self._operation_id} violates the contract: {fault}"
        self._on_violation("response", self._operation_id)
        if self._enforce:
            raise ContractViolation(message)
        logger.error(message)


def problem_response(problem: Problem) -> Response:
    """Return a problem as a response."""
    return Response(problem.status, problem.wire_headers(), problem.body())

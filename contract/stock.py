"""Connexion's stock pipeline made strict: its own seams (validator map, router) filled with this contract's rules."""

import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any

import flask
import jsonschema_rs
from connexion.datastructures import MediaTypeDict
from connexion.exceptions import NonConformingResponse, NonConformingResponseBody, TypeValidationError
from connexion.json_schema import Draft4RequestValidator, Draft4ResponseValidator
from connexion.lifecycle import ConnexionRequest
from connexion.middleware.routing import RoutingMiddleware
from connexion.operations import OpenAPIOperation
from connexion.uri_parsing import OpenAPIURIParser
from connexion.utils import is_json_mimetype
from connexion.validators import (
    FormDataValidator,
    JSONRequestBodyValidator,
    JSONResponseBodyValidator,
    MultiPartFormDataValidator,
    ParameterValidator,
)
from jsonschema import FormatChecker, ValidationError
from jsonschema.validators import extend
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send
from werkzeug.routing import UnicodeConverter

from contract import bodies, documents, negotiation
from contract.gateway import ADDED_HEADERS, OPERATION
from contract.parameters import (
    ABSENT,
    NOT_UTF_8,
    argument,
    cookie_texts,
    decoders,
    header_text,
    is_text,
    query_texts,
    unknown_parameters,
    violation,
)
from contract.problems import Violation, bad_request
from contract.responses import report
from contract.routes import Operation
from contract.schemas import FORMATS, Direction, Uncompilable
from contract.violations import explain, pointer

_VIOLATIONS = "contract.violations"


def _ecma_pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """`pattern` as ECMA 262 has it: `$` is the end, not also the place before a last line break."""
    if isinstance(instance, str) and not re.search(re.sub(r"(?<!\\)\$$", r"\\Z", pattern), instance):
        yield ValidationError("pattern")


def _exact_multiple(_validator: Any, factor: float, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """`multipleOf` as the numbers are written: 19.99 is a multiple of 0.01, though no double is either of them."""
    if type(instance) in (int, float) and Fraction(str(instance)) % Fraction(str(factor)):
        yield ValidationError("multipleOf")


_FORMAT_CHECKER = FormatChecker(())
for _name in FORMATS:  # one meaning of each format, whichever pipeline serves
    _FORMAT_CHECKER.checks(_name)(jsonschema_rs.Draft4Validator({"format": _name}, validate_formats=True).is_valid)

_KEYWORDS = {"pattern": _ecma_pattern, "multipleOf": _exact_multiple}
_RequestValidator = extend(Draft4RequestValidator, _KEYWORDS)
_ResponseValidator = extend(Draft4ResponseValidator, _KEYWORDS)


def violations_of(validator: Any, schema: Mapping[str, Any], document: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every violation of `schema` in `document`: the path to it and a sentence."""
    checker = validator(schema, format_checker=_FORMAT_CHECKER)
    for error in checker.iter_errors(document):
        for steps, detail in explain(str(error.validator), error.schema, error.instance):
            yield (*map(str, error.absolute_path), *steps), detail


class StrictParameters(ParameterValidator):  # type: ignore[misc]  # Connexion has no types
    """All violations of the parameters, not only the first; what they mean goes to the handler.

    When the operation takes a body, its validator (which comes next) reports these violations together with its own.
    """

    def validate(self, scope: Scope) -> None:
        """Check the parameters of one request."""
        operation: Operation = scope[OPERATION]
        context = scope.setdefault("extensions", {}).setdefault("connexion_context", {})
        found: list[Violation] = []
        try:
            texts = self._texts(scope)
        except UnicodeDecodeError:
            found.append(NOT_UTF_8)
        else:
            foreign = [parameter for parameter in operation.parameters if not self._is_ours(parameter)]
            if self.strict_validation:
                deep = tuple(f"{parameter['name']}[" for parameter in foreign)
                given = {name for name in texts["query"] if not name.startswith(deep)}
                declared = {parameter["name"] for parameter in self.parameters["query"]} | self.security_query_params
                found += unknown_parameters(given, declared)
            for parameter in operation.parameters:
                if parameter not in foreign:
                    found += _check(operation, parameter, texts[parameter["in"]].get(parameter["name"], []), context)
            found += self._foreign(scope, foreign)
        content_type = header_text(scope["headers"], "content-type") or "application/json"
        if found and not (operation.request_body and is_json_mimetype(content_type.partition(";")[0])):
            raise bad_request(found)
        scope[_VIOLATIONS] = found

    def _is_ours(self, parameter: Mapping[str, Any]) -> bool:
        """Whether we can decode a parameter, and are not asked to leave it to another parser (`uri_parser_class`)."""
        return _is_known(parameter) and (
            type(self.uri_parser) is OpenAPIURIParser or parameter["in"] in ("header", "cookie")
        )

    def _foreign(self, scope: Scope, parameters: list[Mapping[str, Any]]) -> Iterator[Violation]:
        """Violations of parameters in a style that is Connexion's alone: it decodes, and we judge."""
        if not parameters:  # most often; and its parser fails on schemas without a type
            return
        request = ConnexionRequest(scope, uri_parser=self.uri_parser)
        places = {"query": request.query_params, "path": request.path_params, "header": request.headers}
        for parameter in parameters:
            value = places.get(parameter["in"], request.cookies).get(parameter["name"])
            if value is not None:
                for path, detail in violations_of(_RequestValidator, parameter.get("schema", {}), value):
                    yield violation(parameter, path, detail)
            elif parameter.get("required"):
                yield violation(parameter, (), "is required")

    def _texts(self, scope: Scope) -> dict[str, dict[str, list[str]]]:
        path = scope.get("path_params", {})
        cookies = cookie_texts(header_text(scope["headers"], "cookie"))
        headers = {p["name"]: header_text(scope["headers"], p["name"]) for p in self.parameters["header"]}
        return {
            "query": query_texts(scope["query_string"]),
            "path": {p["name"]: [str(path[p["name"].replace("-", "_")])] for p in self.parameters["path"]},
            "header": {name: [text] for name, text in headers.items() if text is not None},
            "cookie": {name: [text] for name, text in cookies.items()},
        }


def _is_known(parameter: Mapping[str, Any]) -> bool:
    try:
        decoders(parameter, {})
    except Uncompilable:
        return False
    return True


def _check(
    operation: Operation, parameter: Mapping[str, Any], texts: list[str], context: dict[str, Any]
) -> Iterator[Violation]:
    """The violations of one parameter; its value goes into the context, which Connexion hands to the handler."""
    name = argument(parameter["name"], parameter["in"], pythonic=operation.pythonic)
    if not texts:
        if parameter.get("required"):
            yield violation(parameter, (), "is required")
        elif parameter["in"] in ("header", "cookie") and "default" in parameter.get("schema", {}):
            context[name] = parameter["schema"]["default"]
        return
    if parameter["in"] == "path" and not is_text(texts[0]):
        yield violation(parameter, (), NOT_UTF_8.detail)
        return
    _, decode = decoders(parameter, {})
    value = decode(texts)
    if value is ABSENT:
        yield violation(parameter, (), "is given more than once")
        return
    context[name] = value
    for path, detail in violations_of(_RequestValidator, parameter["schema"], value):
        yield violation(parameter, path, detail)


class StrictBody(JSONRequestBodyValidator):  # type: ignore[misc]  # Connexion has no types
    """A JSON body, parsed strictly, whether it came in chunks or not."""

    async def wrap_receive(self, receive: Receive, *, scope: Scope) -> tuple[Receive, Scope]:
        """Check the body of one request and hand it on."""
        body = await bodies.read(receive)
        if body and header_text(scope["headers"], "content-type") is None:
            negotiation.check_content_type(None, scope[OPERATION].consumes, has_body=True)
        found: list[Violation] = scope[_VIOLATIONS]
        if body:
            document = documents.parse(body)
            found += [
                Violation("pointer", pointer(path), detail)
                for path, detail in violations_of(_RequestValidator, self._schema, document)
            ]
        elif self._required:
            found.append(Violation("pointer", "", "is required"))
        if found:
            raise bad_request(found)
        message = {"type": "http.request", "body": body, "more_body": False}
        return self._insert_messages(receive, messages=[message]), with_content_length(scope, len(body))


class _StrictForm:
    """What is wrong with a form, in the same words as with JSON."""

    _schema: Mapping[str, Any]

    async def _parse(self, stream: AsyncGenerator[bytes, None], scope: Scope) -> Any:
        try:
            return await super()._parse(stream, scope)  # type: ignore[misc]
        except TypeValidationError as error:  # which has no more of it than a sentence
            name = str(error.detail).rpartition(" ")[2].strip("'")
            declared = self._schema.get("properties", {}).get(name, {})
            raise bad_request([Violation("pointer", pointer([name]), explain("type", declared, None)[0][1])]) from None

    def _validate(self, body: Any) -> None:
        found = violations_of(_RequestValidator, self._schema, body)
        if violations := [Violation("pointer", pointer(path), detail) for path, detail in found]:
            raise bad_request(violations)


class StrictForm(_StrictForm, FormDataValidator):  # type: ignore[misc]  # Connexion has no types
    """A form, URL-encoded."""


class StrictParts(_StrictForm, MultiPartFormDataValidator):  # type: ignore[misc]  # Connexion has no types
    """A form, in parts."""


class RequiredBody(JSONRequestBodyValidator):  # type: ignore[misc]  # Connexion has no types
    """Any other body, of which nothing is known but whether it must be there."""

    async def wrap_receive(self, receive: Receive, *, scope: Scope) -> tuple[Receive, Scope]:
        """Check the body of one request and hand it on."""
        body = await bodies.read(receive)
        if self._required and not body:
            raise bad_request([Violation("pointer", "", "is required")])
        message = {"type": "http.request", "body": body, "more_body": False}
        return self._insert_messages(receive, messages=[message]), with_content_length(scope, len(body))


class StrictResponse(JSONResponseBodyValidator):  # type: ignore[misc]  # Connexion has no types
    """A handler's JSON answer, held against the contract; what does not fit is a 500 whose cause is logged."""

    def _validate(self, body: Any) -> None:
        found = list(violations_of(_ResponseValidator, self._schema, body))
        if found:
            fault = report("the body", body, found)
            raise NonConformingResponseBody(
                f"The handler {self._scope[OPERATION].operation_id} broke its contract: {fault}"
            )


class StrictOperation(OpenAPIOperation):  # type: ignore[misc]  # Connexion has no types
    """An operation whose handler's answers have the media types of its successes: problems are raised, not returned."""

    @cached_property
    def _body_schemas(self) -> MediaTypeDict:
        directed = Direction({}, response=False).directed
        content = (self.request_body or {}).get("content", {})
        return MediaTypeDict((name, directed(OpenAPIOperation.body_schema(self, name))) for name in content)

    def body_schema(self, content_type: str | None = None) -> Any:
        """The schema of a body of this media type, as it is in requests."""
        name = next(iter(self._body_schemas), "") if content_type is None else content_type
        return self._body_schemas.get(name, {})

    def response_schema(self, status_code: str | None = None, content_type: str | None = None) -> Any:
        """The schema of an answer, as it is in responses."""
        return Direction({}, response=True).directed(super().response_schema(status_code, content_type))

    @property
    def produces(self) -> list[str]:
        """The media types a handler's answer can have."""
        return list(
            dict.fromkeys(
                media_type
                for status, response in self.responses.items()
                if status < "4"
                for media_type in response.get("content", {})
            )
        )

    def response_definition(self, status_code: str | None = None, content_type: str | None = None) -> dict[str, Any]:
        """The response to this status, without the headers that the gateway adds to every answer."""
        if status_code is not None and not {status_code, f"{status_code[0]}XX", "default"} & self.responses.keys():
            raise NonConformingResponse(f"The handler {self.operation_id} broke its contract: status {status_code}")
        definition = super().response_definition(status_code, content_type)
        headers = {name: value for name, value in definition.get("headers", {}).items() if name not in ADDED_HEADERS}
        return {**definition, "headers": headers}


class LenientRouting(RoutingMiddleware):  # type: ignore[misc]  # Connexion has no types
    """Routes by path alone: what a path parameter must look like is for its schema to say (400, not 404), and a path
    with a slash too many is not there, rather than elsewhere.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        for kind in ("int", "float"):
            register_url_convertor(kind, StringConvertor())
        self.router.redirect_slashes = False

    def add_api(self, specification: Any, **kwargs: Any) -> None:
        """Called by Connexion once for each spec."""
        super().add_api(specification, **kwargs)
        for route in self.router.routes:
            if isinstance(route, Mount):
                route.app.redirect_slashes = False  # type: ignore[attr-defined]
                route.path_regex = re.compile(route.path_regex.pattern, re.DOTALL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one request. Flask would look for a WebSocket where a client would rather have one; there is none."""
        if scope["type"] == "http":
            scope["headers"] = [header for header in scope["headers"] if header[0] != b"upgrade"]
        await super().__call__(scope, receive, send)


class BareResponse(flask.Response):
    """Flask's response, without the media type text/html for answers that have no body."""

    default_mimetype = None


FLASK_CONVERTERS = {"int": UnicodeConverter, "float": UnicodeConverter}
VALIDATORS: dict[str, Any] = {
    "parameter": StrictParameters,
    "body": MediaTypeDict(
        {
            "application/json": StrictBody,
            "application/*+json": StrictBody,
            "application/x-www-form-urlencoded": StrictForm,
            "multipart/form-data": StrictParts,
            "*/*": RequiredBody,
        }
    ),
    "response": MediaTypeDict({"application/json": StrictResponse, "*/*+json": StrictResponse}),
}


def with_content_length(scope: Scope, length: int) -> Scope:
    """A scope whose headers name the body's length, as WSGI needs it, also when the body came in chunks."""
    kept = [(name, value) for name, value in scope["headers"] if name not in (b"content-length", b"transfer-encoding")]
    return {**scope, "headers": [*kept, (b"content-length", str(length).encode())]}

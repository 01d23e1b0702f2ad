"""Parameters: what arrives as text, decoded strictly by the spec (OpenAPI 3.0.3, Parameter Object, Style Values)."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import unquote_to_bytes

from connexion.decorators.parameter import pythonic as snake_cased
from connexion.decorators.parameter import sanitized

from contract.problems import Violation
from contract.schemas import Document, Schema, Uncompilable, resolve

ABSENT: Any = object()
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_MAX_DIGITS = 400
_BOOLEANS = {"true": True, "false": False}
_SCALARS = ("string", "integer", "number", "boolean")
_DELIMITERS = {"form": ",", "simple": ",", "spaceDelimited": " ", "pipeDelimited": "|"}
_DEFAULT_STYLES = {"path": "simple", "header": "simple", "query": "form", "cookie": "form"}
_PLACES = {"path": "parameter", "query": "parameter", "cookie": "parameter", "header": "header"}


NOT_UTF_8 = Violation("parameter", "", "is not percent-encoded UTF-8")


def is_text(text: str) -> bool:
    """Whether a path's text was UTF-8 before it was decoded; servers put lone surrogates where it was not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def unknown_parameters(given: Iterable[str], declared: Iterable[str]) -> Iterator[Violation]:
    """A violation for every query parameter that the operation does not have."""
    names = sorted(declared)
    for name in set(given).difference(names):
        yield Violation("parameter", name, f"is not allowed here; allowed parameters: {', '.join(names) or 'none'}")


def query_texts(query_string: bytes) -> dict[str, list[str]]:
    """The texts of a query string by name (WHATWG URL, form-urlencoded). Raises ValueError if it is not UTF-8."""
    texts: dict[str, list[str]] = {}
    for pair in query_string.split(b"&"):
        if pair:
            name, _, value = pair.replace(b"+", b" ").partition(b"=")
            texts.setdefault(unquote_to_bytes(name).decode(), []).append(unquote_to_bytes(value).decode())
    return texts


def header_text(headers: Iterable[tuple[bytes, bytes]], name: str) -> str | None:
    """The value of a header; several lines of it are one list with commas between (RFC 9110 §5.3)."""
    wanted = name.lower().encode()
    values = [value.decode("latin-1").strip() for key, value in headers if key == wanted]
    return ("; " if wanted == b"cookie" else ", ").join(values) if values else None


def cookie_texts(header: str | None) -> dict[str, str]:
    """The cookies of a `Cookie` header by name (RFC 6265 §4.2.1); none if it cannot be read."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header or "").items()}
    except CookieError:
        return {}


def scalar(schema: Mapping[str, Any]) -> Callable[[str], Any]:
    """What turns a scalar's text into its value. A text that does not fit the schema's type stays as it is.

    Only JSON's own notation is taken: neither `+1`, `1_000` nor `0x1`, all of which Python reads as integers.
    """
    return _DECODERS.get(schema.get("type"), str)


def _integer(text: str) -> int | str:
    return int(text) if _INTEGER.fullmatch(text) and len(text) <= _MAX_DIGITS else text


def _number(text: str) -> float | str:
    if _NUMBER.fullmatch(text) and len(text) <= _MAX_DIGITS and math.isfinite(value := float(text)):
        return value
    return text


def _boolean(text: str) -> bool | str:
    return _BOOLEANS.get(text, text)


def _or_null(decode: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: None if text == "null" else decode(text)


_DECODERS: Mapping[Any, Callable[[str], Any]] = {"integer": _integer, "number": _number, "boolean": _boolean}


def argument(name: str, place: str, *, pythonic: bool = False) -> str:
    """The handler's argument for a parameter: Connexion's name for it, and `if_none_match` for `If-None-Match`.

    `pythonic` is Connexion's option `pythonic_params`: `itemId` is `item_id`, and `filter`, a built-in, is `filter_`.
    """
    if place in ("header", "cookie"):
        name = re.sub(r"[^0-9a-z_]", "_", name.lower())
        return str(snake_cased(name)) if pythonic else name
    name = name.replace("-", "_") if place == "path" else name  # as Connexion's routers do
    return str(snake_cased(name) if pythonic else sanitized(name))


Decoder = Callable[[str], Any]
ManyDecoder = Callable[[list[str]], Any]


def decoders(parameter: Mapping[str, Any], document: Mapping[str, Any]) -> tuple[Decoder, ManyDecoder]:
    """What turns one text of a parameter into its value, and any number of them; `ABSENT` when they are too many.

    They know strings, numbers and booleans everywhere, and arrays of them as `simple` (path, header), `form` (query,
    cookie), and without explode `spaceDelimited` and `pipeDelimited` (query). Raises `Uncompilable`
    for all else.
    """
    name, place = parameter["name"], parameter["in"]
    if "schema" not in parameter or parameter.get("allowEmptyValue"):
        raise Uncompilable(f"its parameter {name} has content or allowEmptyValue")
    declared = {"type": "string"} | merged(parameter["schema"], document)
    if not {"oneOf", "anyOf", "not"}.isdisjoint(declared) and "type" not in merged(parameter["schema"], document):
        raise Uncompilable(f"its parameter {name} has a schema of no single type")
    style = parameter.get("style", _DEFAULT_STYLES[place])
    explode = parameter.get("explode", style == "form")
    if declared.get("type") in _SCALARS and style in ("simple", "form"):
        one = _or_null(scalar(declared)) if declared.get("nullable") is True else scalar(declared)
        return one, _once(one)
    items = merged(declared.get("items", {}), document)
    if declared.get("type") != "array" or items.get("type") not in _SCALARS or style not in _DELIMITERS:
        raise Uncompilable(f"its parameter {name} has the type {declared.get('type')} in style {style}")
    element = scalar(items)
    if style == "form" and explode:  # in a cookie, of which there is one, an array of one
        return lambda text: [element(text)], lambda texts: [element(text) for text in texts]
    if explode and style != "simple":
        raise Uncompilable(f"its parameter {name} has style {style} with explode")
    delimiter = _DELIMITERS[style]
    around = " \t" if place == "header" else ""

    def split(text: str) -> list[Any]:
        return [element(part.strip(around) if around else part) for part in text.split(delimiter)]

    return split, _once(split)


def _once(decode: Decoder) -> ManyDecoder:
    return lambda texts: decode(texts[0]) if len(texts) == 1 else ABSENT


def merged(schema: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with the keywords of its `allOf` beside its own: what says the type of a text."""
    schema = resolve(document, schema)
    keywords: dict[str, Any] = {}
    for part in schema.get("allOf", []):
        keywords |= merged(part, document)
    return keywords | dict(schema)


def violation(parameter: Mapping[str, Any], path: tuple[str, ...], detail: str) -> Violation:
    """A violation at a parameter or header; `path` leads to an element of an array."""
    inside = f"element {'/'.join(path)} " if path else ""
    return Violation(_PLACES[parameter["in"]], parameter["name"], inside + detail)


class Parameter:
    """One parameter of an operation, compiled. Raises `Uncompilable` for what `decoders()` do not know."""

    def __init__(self, parameter: Mapping[str, Any], document: Document, *, pythonic: bool = False) -> None:
        self._parameter = parameter
        self.name = str(parameter["name"])
        self.place = str(parameter["in"])
        self.argument = argument(self.name, self.place, pythonic=pythonic)
        self.decode_one, self.decode = decoders(parameter, document)
        declared = merged(parameter["schema"], document)
        self.is_scalar = declared.get("type", "string") in _SCALARS
        self.default = declared.get("default", ABSENT)
        self.required = bool(parameter.get("required"))
        self._schema = Schema(parameter["schema"], document)
        self.is_valid = self._schema.is_valid

    def violations(self, texts: list[str]) -> Iterator[Violation]:
        """Every violation of what was given."""
        if not texts:
            if self.required:
                yield violation(self._parameter, (), "is required")
            return
        value = self.decode(texts)
        if value is ABSENT:
            yield violation(self._parameter, (), "is given more than once")
            return
        for path, detail in self._schema.violations(value):
            yield violation(self._parameter, path, detail)

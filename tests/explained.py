"""The table of explained differences between plain Connexion and this engine. ARCHITECTURE.md shows it.

The first row that applies explains a difference. A difference that no row explains fails the test.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

_MEDIA_TYPES = (b"application/json", b"application/merge-patch+json")
Applies = Callable[[Any, Any, Any], bool]
"""Takes the request, plain Connexion's response and this engine's."""


@dataclass(frozen=True)
class Row:
    """One difference: what plain Connexion does, what this engine does, and when that is."""

    name: str
    plain: str
    engine: str
    applies: Applies


def _path(sent: Any) -> bytes:
    return bytes(sent.target.partition(b"?")[0])


def _header(sent: Any, *names: bytes) -> bool:
    return any(name in names for name, _ in sent.headers)


def _same_error(_sent: Any, plain: Any, engine: Any) -> bool:
    headers = [dict(got.headers) for got in (plain, engine)]
    return plain.status == engine.status >= 400 and headers[0] == headers[1]


def _methods(_sent: Any, plain: Any, engine: Any) -> bool:
    return engine.status == 405 and plain.status in (404, 405, 500)


def _options(sent: Any, plain: Any, engine: Any) -> bool:
    return sent.method == "OPTIONS" and engine.status == 204 and plain.status in (200, 404, 405)


def _converters(sent: Any, plain: Any, engine: Any) -> bool:
    return plain.status == 404 and engine.status in (400, 406, 415) and _path(sent).startswith(b"/items/")


def _head(sent: Any, plain: Any, engine: Any) -> bool:
    return bool(sent.method == "HEAD" and plain.status == 500 and engine.status < 500)


def _limit(sent: Any, _plain: Any, engine: Any) -> bool:
    return engine.status == 413 and sum(map(len, sent.body)) > 65536


def _no_content(_sent: Any, plain: Any, engine: Any) -> bool:
    without = {name: value for name, value in plain.headers.items() if name != "content-type"}
    return plain.status == engine.status and engine.status in (204, 304) and without == engine.headers


def _accept(sent: Any, _plain: Any, engine: Any) -> bool:
    return engine.status == 406 and _header(sent, b"accept")


def _chunked(sent: Any, plain: Any, _engine: Any) -> bool:
    return bool(sent.body) and not sent.length and plain.status in (400, 500)


def _coding(sent: Any, _plain: Any, engine: Any) -> bool:
    return engine.status == 415 and _header(sent, b"content-encoding")


def _media_type(_sent: Any, plain: Any, engine: Any) -> bool:
    return engine.status == 415 and plain.status in (200, 201, 400, 404, 409, 415, 500)


def _media_type_spelling(sent: Any, plain: Any, engine: Any) -> bool:
    spelled = any(name == b"content-type" and value not in _MEDIA_TYPES for name, value in sent.headers)
    if spelled and not sent.body and plain.status == 200:  # then plain Connexion does not require a body
        return bool(engine.status == 400)
    return bool(spelled and plain.status in (415, 500) and engine.status in (200, 201, 400, 404, 409, 412))


def _unreadable(sent: Any, plain: Any, engine: Any) -> bool:
    return bool(sent.body) and plain.status == 500 and bool(engine.status == 400)


def _long_numbers(sent: Any, plain: Any, engine: Any) -> bool:
    return bool(plain.status == 500 and engine.status < 500 and len(sent.target) > 4300)


def _not_utf_8(sent: Any, plain: Any, engine: Any) -> bool:
    try:
        unquote_to_bytes(_path(sent)).decode()
    except UnicodeDecodeError:
        return bool(plain.status == 500 and engine.status < 500)
    return False


def _preconditions(sent: Any, plain: Any, engine: Any) -> bool:
    return (
        _header(sent, b"if-match", b"if-none-match")
        and plain.status in (200, 204, 409, 500)  # 500 if another row refers to the deleted one
        and engine.status in (304, 400, 412)
    )


def _pages(sent: Any, plain: Any, engine: Any) -> bool:
    return _path(sent) == b"/" and plain.status in (404, 405) and engine.status in (200, 302, 405)


def _slashes(sent: Any, plain: Any, engine: Any) -> bool:
    if b"%2f" in _path(sent).lower():  # not the same path
        return engine.status in (204, 400, 404, 405, 406, 415)
    return (
        engine.status == 404 and (b"//" in sent.target or _path(sent).endswith((b"/", b"%0A"))) and plain.status != 404
    )


def _parameters(_sent: Any, plain: Any, engine: Any) -> bool:
    return (
        engine.status == 400
        and plain.status in (200, 201, 204, 404, 409)
        and (_violates(engine, "parameter") or engine.body == b"")
    )


def _violates(engine: Any, source: str) -> bool:
    errors = engine.body.get("errors", ()) if isinstance(engine.body, dict) else ()  # HEAD has no body
    return any(source in error for error in errors)


def _json(sent: Any, plain: Any, engine: Any) -> bool:
    return bool(sent.body) and engine.status == 400 and plain.status in (200, 201, 404, 409)


EXPLAINED: tuple[Row, ...] = (
    Row("Methods", "`Allow` names the methods of one route; other methods are 404 where a converter refuses the path",
        "405 with every method of the path in `Allow`", _methods),
    Row("OPTIONS", "405", "204 with `Allow`, and `Accept-Patch` where there is PATCH (RFC 5789)", _options),
    Row("HEAD", "500 where responses are validated: the body is missing", "the headers of GET", _head),
    Row("Large bodies", "are read", "413 above `x-body-limit`", _limit),
    Row("Accept", "is ignored", "406 when it excludes everything that can be sent", _accept),
    Row("Chunked bodies", "are empty: WSGI sees no length", "are read", _chunked),
    Row("Content codings", "are ignored: the body is read as it is", "415 for any but `identity`", _coding),
    Row("Missing media type", "a body without Content-Type is taken for JSON, after the parameters",
        "415, before anything else is validated", _media_type),
    Row("Spelling of media types", "compared letter by letter, with their charset", "case and charset do not matter",
        _media_type_spelling),
    Row("Long numbers", "500 for more than 4,300 digits in a path or a query", "400 that names the parameter",
        _long_numbers),
    Row("Paths that are not UTF-8", "500", "400 that names the parameter", _not_utf_8),
    Row("Unreadable bodies", "500 if it is not UTF-8, or has a value that validation misses", "400", _unreadable),
    Row("Header parameters", "do not reach the handler: preconditions have no effect", "are arguments of the handler",
        _preconditions),
    Row("Path parameters", "404 for a value that its router cannot convert", "400 that names the parameter",
        _converters),
    Row("Responses without a body", "have a Content-Type", "have none", _no_content),
    Row("Pages", "are not there: this service adds them", "`/` tells where things are", _pages),
    Row("Slashes", "`//items` and `/items%2F1` are `/items` and `/items/1`, `/items/` is redirected", "all are 404",
        _slashes),
    Row("Strict parameters", "`+1`, `1_0` and repeated parameters are accepted",
        "JSON's own notation, each parameter once, UTF-8 only", _parameters),
    Row("Strict JSON", "properties twice, NaN, unpaired surrogates are accepted", "400", _json),
    Row("Errors", "one sentence about the first violation", "every violation, each with its place", _same_error),
)  # fmt: skip

"""What a handler returned, taken apart: all the forms that Connexion and Flask know."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from connexion.datastructures import NoContent
from connexion.lifecycle import ConnexionResponse
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as WerkzeugResponse

HeaderPairs = Mapping[str, Any] | list[tuple[str, Any]]


class Returned(NamedTuple):
    """`encoded`: the data is a body already, in bytes or as an iterator over its pieces."""

    data: Any
    status: int
    headers: HeaderPairs
    encoded: bool = False


def take_apart(returned: Any) -> Returned:
    """Data; or a tuple of data, status and headers, of which the last two may be missing or None; or a response."""
    if type(returned) is not tuple:
        return _from_one(returned)
    data, *rest = returned
    status = next(
        (int(getattr(part, "value", part) or 0) for part in rest if part is not None and not _is_headers(part)), None
    )
    headers: Any = next((part for part in rest if _is_headers(part)), {})
    one = _from_one(data)
    return Returned(one.data, status or one.status, [*_pairs(one.headers), *_pairs(headers)], one.encoded)


def _from_one(returned: Any) -> Returned:
    if isinstance(returned, WerkzeugResponse):
        return Returned(_body(returned), returned.status_code, list(returned.headers.items()), encoded=True)
    if isinstance(returned, ConnexionResponse):
        body = returned.body if isinstance(returned.body, bytes) else str(returned.body or "").encode()
        return Returned(body, returned.status_code, list(returned.headers.items()), encoded=True)
    if returned is None or returned is NoContent:
        return Returned(None, 204, {})
    return returned if isinstance(returned, Returned) else Returned(returned, 200, {})


def _body(response: WerkzeugResponse) -> bytes | Iterator[bytes]:
    """The body, after which the response is closed."""
    if response.is_streamed:
        return _closing(response)
    with closing(response):
        return response.get_data()


def _closing(response: WerkzeugResponse) -> Iterator[bytes]:
    with closing(response):
        yield from response.iter_encoded()


def _is_headers(part: Any) -> bool:
    return isinstance(part, Mapping | Headers | list)


def _pairs(headers: Any) -> list[tuple[str, Any]]:
    return list(headers if isinstance(headers, list) else headers.items())

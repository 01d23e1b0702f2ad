"""Handler results, in all the forms that Connexion, Flask and Starlette know, in one form."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from connexion.lifecycle import ConnexionResponse
from starlette import responses as starlette
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as WerkzeugResponse

from contract.connexion_internals import NoContent

Pairs = list[tuple[str, Any]]
_CHUNK = 1 << 16


class HandlerResult(NamedTuple):
    """What a handler returned. `encoded`: the data is a body already, in bytes or as an iterator over its pieces."""

    data: Any
    status: int
    headers: Pairs
    encoded: bool = False


def normalize(returned: Any) -> HandlerResult:
    """Take data; a tuple of data, status and headers, of which the last two may be missing or None; or a response.

    A named tuple is data.
    """
    if type(returned) is not tuple:
        return _from_one(returned)
    data, *rest = returned
    given = (int(getattr(part, "value", part) or 0) for part in rest if part is not None and not _is_headers(part))
    status = next(given, None)
    headers: Any = next((part for part in rest if _is_headers(part)), {})
    one = _from_one(data)
    return HandlerResult(one.data, status or one.status, [*one.headers, *_pairs(headers)], one.encoded)


def _from_one(returned: Any) -> HandlerResult:
    if isinstance(returned, WerkzeugResponse):
        return HandlerResult(
            _werkzeug_body(returned), returned.status_code, list(returned.headers.items()), encoded=True
        )
    if isinstance(returned, ConnexionResponse):
        body = returned.body if isinstance(returned.body, bytes) else str(returned.body or "").encode()
        return HandlerResult(body, returned.status_code, list(returned.headers.items()), encoded=True)
    if isinstance(returned, starlette.Response):
        return HandlerResult(_starlette_body(returned), returned.status_code, returned.headers.items(), encoded=True)
    if returned is None or returned is NoContent:
        return HandlerResult(None, 204, [])
    return HandlerResult(returned, 200, [])


def _werkzeug_body(response: WerkzeugResponse) -> bytes | Iterator[bytes]:
    """Return the body; the response is closed after it."""
    if response.is_streamed:
        return _closing(response)
    with closing(response):
        return response.get_data()


def _closing(response: WerkzeugResponse) -> Iterator[bytes]:
    with closing(response):
        yield from response.iter_encoded()


def _starlette_body(response: starlette.Response) -> bytes | Iterator[bytes] | AsyncIterator[Any]:
    """Return the body; the response's background task runs after it."""
    if isinstance(response, starlette.FileResponse):
        pieces: Any = _file(str(response.path))
    elif isinstance(response, starlette.StreamingResponse):
        pieces = response.body_iterator
    else:
        pieces = bytes(response.body)
    return pieces if response.background is None else _with_background(pieces, response.background)


def _file(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:  # noqa: PTH123 -- Starlette takes any path
        while chunk := file.read(_CHUNK):
            yield chunk


async def _with_background(pieces: Any, task: Any) -> AsyncIterator[Any]:
    if isinstance(pieces, AsyncIterator):
        async for piece in pieces:
            yield piece
    else:
        for piece in [pieces] if isinstance(pieces, bytes) else pieces:
            yield piece
    await task()


def _is_headers(part: Any) -> bool:
    return isinstance(part, Mapping | Headers | list)


def _pairs(headers: Any) -> Pairs:
    return list(headers if isinstance(headers, list) else headers.items())

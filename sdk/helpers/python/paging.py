"""Iterates over all pages of a list operation, which the `Link` header connects (RFC 8288)."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import ParamSpec, TypeVar
from urllib.parse import parse_qs, urlsplit

from ..models.problem import Problem
from ..types import Response
from .problems import result

Parameters = ParamSpec("Parameters")
Entry = TypeVar("Entry")
Page = Response[list[Entry] | Problem]
_LINK = re.compile(r'<([^>]*)>((?:[^",]|"(?:[^"\\]|\\.)*")*)')
_NEXT = re.compile(r';\s*rel\s*=\s*(?:next\s*(?:;|$)|"(?:[^"]*\s)?next(?:\s[^"]*)?")', re.IGNORECASE)


def pages(
    operation: Callable[Parameters, Page[Entry]], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Iterator[list[Entry]]:
    """Yield each page: `pages(list_items.sync_detailed, client=client, limit=100)`. Raises `ProblemError`."""
    cursor: str | None = None
    while True:
        if cursor is not None:
            kwargs.update(cursor=cursor)
        response = operation(*args, **kwargs)
        yield result(response)
        cursor = _next_cursor(response.headers.get("Link", ""))
        if cursor is None:
            return


def each(
    operation: Callable[Parameters, Page[Entry]], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Iterator[Entry]:
    """Yield each entry of all pages. The arguments are those of `pages`."""
    for page in pages(operation, *args, **kwargs):
        yield from page


async def pages_async(
    operation: Callable[Parameters, Awaitable[Page[Entry]]], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> AsyncIterator[list[Entry]]:
    """Yield each page: `pages_async(list_items.asyncio_detailed, client=client)`. Raises `ProblemError`."""
    cursor: str | None = None
    while True:
        if cursor is not None:
            kwargs.update(cursor=cursor)
        response = await operation(*args, **kwargs)
        yield result(response)
        cursor = _next_cursor(response.headers.get("Link", ""))
        if cursor is None:
            return


async def each_async(
    operation: Callable[Parameters, Awaitable[Page[Entry]]], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> AsyncIterator[Entry]:
    """Yield each entry of all pages. The arguments are those of `pages_async`."""
    async for page in pages_async(operation, *args, **kwargs):
        for entry in page:
            yield entry


def _next_cursor(link: str) -> str | None:
    """Return the `cursor` of the link with `rel="next"`; None on the last page."""
    for found in _LINK.finditer(link):
        url: str = found[1]
        if _NEXT.search(found[2]):
            return parse_qs(urlsplit(url).query)["cursor"][0]
    return None

"""Pages of a listing, and where the service is mounted."""

from collections.abc import Callable
from typing import Any

from contract.urls import root_path

Row = dict[str, Any]


def base() -> str:
    """What the service is mounted at (ASGI's `root_path`)."""
    return root_path()


def paged(
    path: str, query: str, found: list[Row], limit: int, cursor: Callable[[Row], str]
) -> tuple[list[Row], int, dict[str, str]]:
    """The page and its `Link` (RFC 8288). One row more than a page is read to know whether there is a next one."""
    page = found[:limit]
    first = f"{base()}{path}?{query}"
    link = f'<{first}>; rel="first"'
    if len(found) > limit:
        link += f', <{first}&cursor={cursor(page[-1])}>; rel="next"'
    return page, 200, {"Link": link}

"""Retirement: every response of a deprecated operation has `Deprecation` (RFC 9745) and `Sunset` (RFC 8594)."""

from datetime import UTC
from email.utils import format_datetime

from contract.responses.response import Response
from contract.serving.request import Interceptor, Proceed, Request
from contract.spec.operations import Operation
from contract.spec.retirement import Retirement, retirement


def around(operation: Operation) -> Interceptor | None:
    """Return the code that adds the headers to responses; None for an operation without dates."""
    found = retirement(operation.definition)
    if found is None:
        return None
    headers = _headers(found)

    async def announce(request: Request, proceed: Proceed) -> Response:
        request.response_headers += headers
        return await proceed(request)

    return announce


def _headers(found: Retirement) -> tuple[tuple[bytes, bytes], ...]:
    headers = [(b"deprecation", b"@%d" % int(found.since.timestamp()))]
    if found.sunset is not None:
        headers.append((b"sunset", format_datetime(found.sunset.astimezone(UTC), usegmt=True).encode()))
    links = [(b"link", f'<{url}>; rel="{relation}"'.encode()) for relation, url in found.links.items()]
    return (*headers, *links)

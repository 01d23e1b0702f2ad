"""Warns once of each operation that is deprecated: its responses say so (RFC 9745)."""

import re
import warnings

import httpx

from .operations import OPERATIONS


class Deprecations:
    """The deprecated operations that a client has used."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def note(self, request: httpx.Request, response: httpx.Response) -> None:
        """Warn (`DeprecationWarning`) if the operation is deprecated, and this is its first response."""
        if "Deprecation" not in response.headers:
            return
        path = request.url.raw_path.partition(b"?")[0].decode("ascii")
        ends = (end for method, end, _ in OPERATIONS if method == request.method and re.search(end, path))
        operation = f"{request.method} {next(ends, '')}"
        if operation in self._known:
            return
        self._known.add(operation)
        sunset = response.headers.get("Sunset")
        end = f", and will be removed after {sunset}" if sunset else ""
        warnings.warn(f"{request.method} {path} is deprecated{end}", DeprecationWarning, stacklevel=3)

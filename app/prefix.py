"""Path prefixes: `X-Forwarded-Prefix` has the prefix that a reverse proxy has removed from the path."""

import re
from collections.abc import Iterable

from starlette.types import Scope

from contract.serving.paths import request_path

HEADER = "X-Forwarded-Prefix"
MAX_LENGTH = 128  # the contract limits `Location` to 200 characters
_NAME = HEADER.lower().encode()
_PREFIX = re.compile(rb"(?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9._~-]+)+")


def restore(scope: Scope) -> None:
    """Put the prefix in front of `path`, and add it to `root_path`, as ASGI requires.

    Call this only for requests from a trusted proxy. An invalid or repeated prefix is ignored.
    """
    prefix = announced(scope["headers"])
    if prefix:
        path = request_path(scope)
        scope["root_path"] = prefix + scope.get("root_path", "")
        scope["path"] = scope["root_path"] + path
        scope["raw_path"] = scope["root_path"].encode() + scope["raw_path"]


def announced(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the prefix that these headers announce; an empty one if it is invalid or repeated."""
    prefix = None
    for name, value in headers:
        if name == _NAME:
            prefix = value if prefix is None else b""
    return prefix.decode() if prefix and len(prefix) <= MAX_LENGTH and _PREFIX.fullmatch(prefix) else ""

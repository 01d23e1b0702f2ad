"""The path of a request, as routes see it: its segments are split before they are decoded (RFC 3986 §2.4)."""

from urllib.parse import unquote_to_bytes

from starlette.types import Scope

_SLASH = "\udc2f"
"""Stands for a slash inside of a segment. Decoders never make it: other bytes become `\\udc80` to `\\udcff`."""


def request_path(scope: Scope) -> str:
    """Return the decoded path of a request below the `root_path` that the application is mounted at (ASGI)."""
    return _below_root(scope["path"], scope.get("root_path", ""))


def has_encoded_slash(scope: Scope) -> bool:
    """Return whether a segment of the path has a slash, `%2F`: it is data, and separates nothing."""
    raw: bytes | None = scope.get("raw_path")
    return raw is not None and b"%" in raw and b"%2f" in raw.lower()


def split_path(scope: Scope) -> str:
    """Return the path with a mark in place of each encoded slash. `restored` takes it out of a segment."""
    raw = scope["raw_path"].partition(b"?")[0]
    segments = (unquote_to_bytes(segment).decode("utf-8", "surrogateescape") for segment in raw.split(b"/"))
    return _below_root("/".join(segment.replace("/", _SLASH) for segment in segments), scope.get("root_path", ""))


def restored(value: str) -> str:
    """Return the raw value of a path parameter."""
    return value.replace(_SLASH, "/")


def _below_root(path: str, root: str) -> str:
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("/", ""):
        return path[len(root) :]
    return path

"""What a handler's data is, and its bytes, if it is no JSON."""

from typing import Any

from werkzeug.utils import get_content_type


def text_of(name: str, data: Any) -> str | None:
    """Return the text of a body that is there as a whole, if the media type is text."""
    if isinstance(data, bytes) and get_content_type(name, "utf-8") != name:
        return data.decode("utf-8", "replace")
    return data if isinstance(data, str) else None


def is_document(data: Any) -> bool:
    """Return whether the data has a structure."""
    return data is not None and not isinstance(data, str | bytes)


def to_bytes(data: Any) -> bytes:
    """Return the data as bytes; anything but bytes as UTF-8."""
    return data if isinstance(data, bytes) else b"" if data is None else str(data).encode()

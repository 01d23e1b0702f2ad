"""Media types: which one a request names, and which ones its `Accept` header rules out (RFC 9110 §8.3.1, §12.5.1)."""

from collections.abc import Iterable
from email.message import Message


def media_type(header: str) -> tuple[str, str | None]:
    """The media type in a `Content-Type` header, in lower case, and its charset if it names one."""
    message = Message()
    message["Content-Type"] = header
    charset = message.get_param("charset")
    return header.partition(";")[0].strip().lower(), str(charset).lower() if charset else None


def accepts(accept: str, offered: Iterable[str]) -> bool:
    """Whether `Accept` leaves at least one of the offered media types; the most specific range decides for each."""
    ranges = dict(_range(part) for part in accept.split(",") if part.strip())
    return not ranges or any(_quality(ranges, media_type) > 0 for media_type in offered)


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip() for piece in part.lower().split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, float(value)
            except ValueError:
                return name, 1.0
    return name, 1.0


def _quality(ranges: dict[str, float], offered: str) -> float:
    for candidate in (offered, offered.partition("/")[0] + "/*", "*/*"):
        if candidate in ranges:
            return ranges[candidate]
    return 0.0

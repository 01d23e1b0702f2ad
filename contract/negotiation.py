"""Media types: which one a request names, and which ones its `Accept` header rules out (RFC 9110 §8.3.1, §12.5.1)."""

from collections.abc import Iterable, Sequence
from email.message import Message

from contract.problems import Problem


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


def check_accept(accept: str | None, offered: Sequence[str]) -> None:
    """406 if `Accept` rules out all that can be sent. What has no body can always be sent."""
    if accept and offered and not accepts(accept, offered):
        raise Problem(406, f"Only {', '.join(offered)} is available, and the Accept header excludes it.")


def check_content_type(header: str | None, consumes: Sequence[str], *, has_body: bool) -> str | None:
    """The media type of the body, as the spec writes it; None if there is neither a body nor a `Content-Type`.

    415 unless it is in the contract, with no charset but UTF-8.
    """
    if header is None:
        if not has_body:
            return None
        says = "the header is missing"
    else:
        name, charset = media_type(header)
        if name in consumes and charset in (None, "utf-8", "utf8"):
            return name
        says = f"it is {header[:100]}"
    expected = ", ".join(consumes)
    advice = f"Content-Type must be {expected}, with charset UTF-8 or none; {says}."
    raise Problem(415, advice, headers={"Accept": expected})


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

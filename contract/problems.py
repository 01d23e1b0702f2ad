"""Problem details (RFC 9457): the form of every error that a client sees."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson
from connexion.exceptions import ProblemException

MEDIA_TYPE = "application/problem+json"
ABOUT_BLANK = "about:blank"
"""The type of a problem that says no more than its status (RFC 9457 §4.2.1)."""
MAX_ERRORS = 100
"""How many violations a problem lists. Nothing looks for many more, because a request can have thousands."""
MAX_TEXT = 1000
"""The most characters of a detail or a JSON Pointer."""
MAX_NAME = 200
"""The most characters of a parameter's or a header's name."""
_RFC_9110_TITLES = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}


class Violation(NamedTuple):
    """One violation of the contract. `source` is `pointer` (RFC 6901), `parameter` or `header`; `name` says which."""

    source: str
    name: str
    detail: str

    def document(self) -> dict[str, str]:
        """Return the violation as an element of a problem's `errors`."""
        longest = MAX_TEXT if self.source == "pointer" else MAX_NAME
        return {self.source: _shorten(self.name, longest), "detail": _shorten(self.detail)}

    def __str__(self) -> str:
        nameless = "The body" if self.source == "pointer" else "The query string"
        return f"{self.name}: {self.detail}" if self.name else f"{nameless} {self.detail}"


class Problem(ProblemException):  # type: ignore[misc]  # Connexion has no types
    """An error response, status 400 to 599. Handlers raise it.

    `detail` is a sentence that a person can act on; `violations` are all that the request has; `extensions` are
    extension members (RFC 9457 §3.2). `title`, `type` and `instance` are those of RFC 9457 §3.1.
    """

    def __init__(  # noqa: PLR0913 -- RFC 9457 has that many parts
        self,
        status: int,
        detail: str,
        *,
        violations: Iterable[Violation] = (),
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
        title: str | None = None,
        type_: str | None = None,
        instance: str | None = None,
    ) -> None:
        super().__init__(
            status=status,
            title=title or status_title(status),
            detail=detail,
            type=type_ or ABOUT_BLANK,
            instance=instance,
            headers=dict(headers or {}),
            ext=dict(extensions or {}),
        )
        self.violations = tuple(violations)

    def document(self) -> dict[str, Any]:
        """Return the problem as an object."""
        document: dict[str, Any] = {
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "detail": _shorten(self.detail),
        }
        if self.instance is not None:
            document["instance"] = self.instance
        if self.violations:
            document["errors"] = [violation.document() for violation in self.violations[:MAX_ERRORS]]
        document |= self.ext
        return document

    def body(self) -> bytes:
        """Return the problem as JSON, with a newline at the end for people who read it in a terminal."""
        return orjson.dumps(self.document(), option=orjson.OPT_APPEND_NEWLINE)

    def wire_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers as ASGI has them, Content-Type among them."""
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        return [(b"content-type", MEDIA_TYPE.encode()), *headers]


def forget_frames(error: BaseException | None) -> None:
    """Drop the tracebacks of an exception and of those before it, once it has become a response.

    Frames that it has left often refer back to it. Together with the request and its connection, they would stay in
    memory until the next garbage collection of everything.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


@lru_cache(maxsize=1000)
def status_title(status: int) -> str:
    """Return the status in words (RFC 9110 §15), the same on every Python version."""
    if status in _RFC_9110_TITLES:
        return _RFC_9110_TITLES[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # a status that nobody has registered
        return "Unknown Error"


def not_found(path: str) -> Problem:
    """Return the 404 for a path that the service does not have."""
    return Problem(404, f"There is nothing at {path[:200]}.")


def bad_request(violations: Iterable[Violation]) -> Problem:
    """Return the 400 with all violations; `detail` is the violation itself when there is only one."""
    found = sorted(set(violations))
    if len(found) == 1:
        return Problem(400, str(found[0]), violations=found)
    number = f"{len(found)}" if len(found) <= MAX_ERRORS else f"more than {MAX_ERRORS}"
    return Problem(400, f"The request has {number} violations; see errors.", violations=found)


def _shorten(text: str, longest: int = MAX_TEXT) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"

"""Problem details (RFC 9457): the one place where an error becomes an answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from connexion.exceptions import ProblemException

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 100
MAX_TEXT = 1000  # characters of a sentence or a pointer
MAX_NAME = 200  # characters of a parameter's or header's name
_RFC_9110_TITLES = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}


@dataclass(frozen=True, slots=True)
class Violation:
    """One violation of the contract. `place` is `pointer` (RFC 6901), `parameter` or `header`; `at` names it."""

    place: str
    at: str
    detail: str

    def member(self) -> dict[str, str]:
        """As a member of a problem's `errors`."""
        longest = MAX_TEXT if self.place == "pointer" else MAX_NAME
        return {self.place: _shorten(self.at, longest), "detail": _shorten(self.detail)}

    def __str__(self) -> str:
        nameless = "The body" if self.place == "pointer" else "The query string"
        return f"{self.at}: {self.detail}" if self.at else f"{nameless} {self.detail}"


class Problem(ProblemException):  # type: ignore[misc]  # Connexion has no types
    """An answer of 400 to 599. Handlers raise it; Connexion's own errors are turned into it.

    `detail` is a sentence a person can act on; `violations` are all that the request has; `members` are extension
    members (RFC 9457 §3.2).
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        violations: Iterable[Violation] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status=status, title=title(status), detail=detail, headers=dict(headers or {}))
        self.violations = tuple(violations)
        self.members = dict(members or {})

    def document(self) -> dict[str, Any]:
        """The problem's members."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": _shorten(self.detail),
        }
        if self.violations:
            document["errors"] = [violation.member() for violation in self.violations[:MAX_ERRORS]]
        document |= self.members
        return document

    def body(self) -> bytes:
        """The problem as JSON, with a newline at its end for those who read it in a terminal."""
        return orjson.dumps(self.document(), option=orjson.OPT_APPEND_NEWLINE)

    def wire_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as ASGI has them, Content-Type among them."""
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        return [(b"content-type", MEDIA_TYPE.encode()), *headers]


def title(status: int) -> str:
    """The status in words (RFC 9110 §15), the same on every Python version."""
    return _RFC_9110_TITLES.get(status) or HTTPStatus(status).phrase


def nothing_at(path: str) -> Problem:
    """404 for a path that is none of the service's."""
    return Problem(404, f"There is nothing at {path[:200]}.")


def bad_request(violations: Iterable[Violation]) -> Problem:
    """400 with all violations; `detail` says the violation itself when there is only one."""
    found = sorted(set(violations), key=lambda violation: (violation.place, violation.at, violation.detail))
    if len(found) == 1:
        return Problem(400, str(found[0]), violations=found)
    return Problem(400, f"The request has {len(found)} violations; see errors.", violations=found)


def _shorten(text: str, longest: int = MAX_TEXT) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"

"""Access: who sends a request, and whether they may send it. The contract declares it; an application verifies it."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from contract.problems import Problem
from contract.serving.request import Request
from contract.spec.security import Requirement, Scheme
from contract.violations import ignore


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sends a request, and the scopes that they have."""

    id: str
    scopes: frozenset[str]


ACCEPTED, MISSING, SCOPE, TOO_MANY, INVALID = "accepted", "missing", "scope", "too_many", "invalid"
"""Results of an authentication. Verifiers can have others, as the `reason` of a `RejectedError`."""
OnAuthentication = Callable[[str, str], None]
"""A function that is called for each credential, with its security scheme (`-`: there was none) and the result."""


class RejectedError(Exception):
    """The credential is not valid. The message is a sentence for the client; `reason` is a word for metrics."""

    def __init__(self, message: str, reason: str = INVALID) -> None:
        super().__init__(message)
        self.reason = reason


class Verifier(Protocol):
    """Verifies the credentials of one security scheme."""

    async def verify(self, credential: str, request: Request) -> Principal:
        """Return whose credential it is. Raise `RejectedError`, or `Problem` for another response than 401."""


Verifiers = Mapping[str, Verifier]
"""By the name of the security scheme."""
_current: ContextVar[Principal | None] = ContextVar("principal", default=None)


def principal() -> Principal | None:
    """Return who sends the present request; None if its operation has no security.

    A context variable, so it is right on the thread of a handler, and in a group of writes: each runs in the context of
    its own request.
    """
    return _current.get()


class _Method(NamedTuple):
    scheme: Scheme
    header: bytes
    verifier: Verifier


class Guard:
    """Checks the requests to one operation, before anything else of them is read."""

    def __init__(
        self, requirement: Requirement, verifiers: Verifiers, realm: str, observe: OnAuthentication = ignore
    ) -> None:
        self.header_names = frozenset(scheme.header.lower().encode() for scheme in requirement.schemes)
        self._methods = [
            _Method(scheme, scheme.header.lower().encode(), verifiers[scheme.name]) for scheme in requirement.schemes
        ]
        self._scopes = requirement.scopes
        self._is_optional = requirement.is_optional
        self._challenges = Challenges(requirement, realm)
        self._observe = observe

    async def check(self, request: Request) -> None:
        """Note the principal of a request. Raise `Problem` 401 or 403.

        One valid credential is enough (OpenAPI 3.0.3, Security Requirement Object). Of several, the first one in the
        order of the contract counts.
        """
        refusal: Problem | None = None
        for scheme, header, verifier in self._methods:
            credential = request.headers.get(header)
            if credential is not None and scheme.is_bearer:
                credential = _bearer_token(credential)
            if credential is None:
                continue
            try:
                sender = await verifier.verify(credential, request)
            except RejectedError as error:
                self._observe(scheme.name, error.reason)
                refusal = refusal or self._challenges.invalid(scheme, str(error))
                continue
            except Problem as problem:
                if problem.status == 429:
                    self._observe(scheme.name, TOO_MANY)
                raise
            if not self._scopes <= sender.scopes:
                self._observe(scheme.name, SCOPE)
                raise self._challenges.forbidden(scheme, self._scopes - sender.scopes)
            self._observe(scheme.name, ACCEPTED)
            _current.set(sender)
            return
        if refusal is not None:
            raise refusal
        if not self._is_optional:
            self._observe("-", MISSING)
            raise self._challenges.missing()


class Challenges:
    """The problems of one operation, with `WWW-Authenticate` (RFC 9110 §11.6.1, RFC 6750 §3)."""

    def __init__(self, requirement: Requirement, realm: str) -> None:
        self._schemes = requirement.schemes
        self._realm = "".join(c for c in realm if " " <= c <= "~" and c not in '"\\')
        self._scope = " ".join(sorted(requirement.scopes))

    def missing(self) -> Problem:
        """Return the 401 for a request without a credential; it has no error code (RFC 6750 §3.1)."""
        ways = " or ".join(_way(scheme) for scheme in self._schemes)
        return Problem(401, f"This operation needs {ways}.", headers=self._challenge())

    def invalid(self, scheme: Scheme, reason: str) -> Problem:
        """Return the 401 for a credential that is not valid."""
        return Problem(401, reason, headers=self._challenge(scheme, 'error="invalid_token"'))

    def forbidden(self, scheme: Scheme, missing: frozenset[str]) -> Problem:
        """Return the 403 for a principal without all scopes."""
        names = ", ".join(sorted(missing))
        error = f'error="insufficient_scope", scope="{self._scope}"'
        return Problem(403, f"The credential does not have the scope {names}.", headers=self._challenge(scheme, error))

    def _challenge(self, failed: Scheme | None = None, error: str = "") -> dict[str, str]:
        """Return the header with the challenges of all schemes; the error is with that of the scheme that failed."""
        challenges = []
        for scheme in self._schemes:
            challenge = f'Bearer realm="{self._realm}"'
            if not scheme.is_bearer:
                challenge = f'ApiKey realm="{self._realm}", header="{scheme.header}"'
            challenges.append(f"{challenge}, {error}" if scheme == failed and error else challenge)
        return {"WWW-Authenticate": ", ".join(challenges)}


def _bearer_token(credentials: str) -> str | None:
    """Return the token of `Authorization: Bearer …`; None if that has another scheme (RFC 9110 §11.4)."""
    scheme, _, token = credentials.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _way(scheme: Scheme) -> str:
    return "a bearer token in Authorization" if scheme.is_bearer else f"an API key in {scheme.header}"

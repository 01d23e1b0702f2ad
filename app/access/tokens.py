"""Bearer tokens: how a request's JSON Web Token is verified (RFC 7519, RFC 8725)."""

import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from app.access.attempts import Attempts
from app.access.token_keys import TokenKeys, UnknownKeyError
from contract import Principal, RejectedError, Request

LEEWAY = 10
"""Seconds by which the clocks of the issuer and of this service may differ."""
_MOST_REMEMBERED = 10_000
_MOST_CHARACTERS = 150  # of a subject


@dataclass(frozen=True)
class Rules:
    """What a token must have: this issuer, this audience, and this algorithm, whatever the token itself says."""

    issuer: str
    audience: str
    algorithm: str


class NoTokens:
    """The verifier of a service that trusts no issuer."""

    async def verify(self, _credential: str, _request: Request) -> Principal:
        """Reject every token."""
        raise RejectedError("This service accepts API keys only; it trusts no issuer of tokens.")


class Tokens:
    """The verifier of the scheme. A token that it has verified is valid until it expires, at the cost of a hash."""

    def __init__(self, keys: TokenKeys, rules: Rules, attempts: Attempts) -> None:
        self._keys = keys
        self._rules = rules
        self._attempts = attempts
        self._known: dict[bytes, tuple[Principal, float]] = {}
        """By hash, so that no token is kept: the principal, and when the token expires (seconds since 1970)."""

    async def verify(self, credential: str, request: Request) -> Principal:
        """Return the principal of a token. Raise `RejectedError`, or `Problem` 429 and 503."""
        hashed = sha256(credential.encode("latin-1", "replace")).digest()
        known = self._known.get(hashed)
        if known is not None:
            if time.time() < known[1]:
                return known[0]
            del self._known[hashed]
        self._attempts.require_few(request.scope)
        try:
            principal, expires = await self._decode(credential)
        except RejectedError:
            self._attempts.note_failure(request.scope)
            raise
        if len(self._known) >= _MOST_REMEMBERED:
            del self._known[next(iter(self._known))]  # the one that was verified first
        self._known[hashed] = principal, expires
        return principal

    async def _decode(self, token: str) -> tuple[Principal, float]:
        import jwt  # with its cryptography, it takes 50 ms to import

        rules = self._rules
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != rules.algorithm:
                raise RejectedError(f"The token must be signed with {rules.algorithm}.")
            key = await self._keys.find(header.get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[rules.algorithm],
                issuer=rules.issuer,
                audience=rules.audience,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except UnknownKeyError:
            raise RejectedError("The token is signed with a key that its issuer does not publish.", "unknown") from None
        except jwt.ExpiredSignatureError:
            raise RejectedError("The token has expired.", "expired") from None
        except jwt.InvalidTokenError:
            raise RejectedError("The token is not valid.") from None
        return _principal(claims), float(claims["exp"])


def _principal(claims: dict[str, Any]) -> Principal:
    """Return the principal. `scope` is a list with spaces (RFC 9068 §2.2.3.1), or what some issuers make of it."""
    subject = claims["sub"]
    if not 1 <= len(subject) <= _MOST_CHARACTERS or not subject.isprintable():
        raise RejectedError("The token has a subject that this service does not accept.")
    scope = claims.get("scope", claims.get("scp", ""))
    scopes = scope.split() if isinstance(scope, str) else scope
    if not isinstance(scopes, list) or not all(isinstance(each, str) for each in scopes):
        raise RejectedError("The token has a scope that is not text.")
    return Principal(f"token:{subject}", frozenset(scopes))

"""What the contract says about access to an operation: `security`, its schemes, and `x-required-scopes`.

OpenAPI 3.0 has scopes only for `oauth2` and `openIdConnect` schemes, which need URLs of an authorization server. API
keys and bearer tokens of any issuer have none, so the scopes that an operation requires are an extension.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from contract.spec.document import Document, Uncompilable, resolve
from contract.spec.operations import Operation

SCOPES = "x-required-scopes"


@dataclass(frozen=True, slots=True)
class Scheme:
    """A way to send a credential: in `header`; as a bearer token (RFC 6750 §2.1) if `is_bearer`."""

    name: str
    header: str
    is_bearer: bool


@dataclass(frozen=True, slots=True)
class Requirement:
    """What an operation asks of a request: a credential of one of the schemes, unless `is_optional`, and all scopes."""

    schemes: tuple[Scheme, ...]
    scopes: frozenset[str]
    is_optional: bool


def requirement(document: Document, operation: Operation, verified: Collection[str]) -> Requirement | None:
    """Return what an operation requires; None if it has no security, or only schemes that are not in `verified`."""
    security = operation.definition.get("security", document.get("security", ()))
    names = [name for alternative in security for name in alternative]
    scopes = _scopes(operation)
    if not any(name in verified for name in names):
        if scopes and names:
            raise Uncompilable(f"{SCOPES} needs verifiers={{…}} in contract.install(), for {', '.join(sorted(names))}")
        if scopes:
            raise Uncompilable(f"{SCOPES} has no effect without `security`")
        return None
    if unknown := sorted(set(names) - set(verified)):
        raise Uncompilable(f"contract.install() has no verifier for the security scheme {', '.join(unknown)}")
    if any(len(alternative) > 1 for alternative in security):
        raise Uncompilable("`security` asks for two credentials at once")
    if operation.uses_connexion:
        raise Uncompilable(f"plain Connexion does not use the verifiers of {', '.join(names)}")
    schemes = tuple(_scheme(document, name) for name in dict.fromkeys(names))
    return Requirement(schemes, scopes, is_optional=any(not alternative for alternative in security))


def _scopes(operation: Operation) -> frozenset[str]:
    scopes = operation.definition.get(SCOPES, [])
    if not isinstance(scopes, list) or not all(_is_scope(scope) for scope in scopes):
        raise Uncompilable(f"{SCOPES} must be a list of strings without spaces, quotes and backslashes")
    return frozenset(scopes)


def _is_scope(scope: Any) -> bool:
    """Return whether it is a scope-token (RFC 6749 §3.3)."""
    return isinstance(scope, str) and scope != "" and all("!" <= c <= "~" and c not in '"\\' for c in scope)


def _scheme(document: Document, name: str) -> Scheme:
    definition: Mapping[str, Any] = resolve(document, document["components"]["securitySchemes"][name])
    if definition["type"] == "apiKey" and definition["in"] == "header":
        return Scheme(name, definition["name"], is_bearer=False)
    if definition["type"] == "http" and definition["scheme"].lower() == "bearer":
        return Scheme(name, "Authorization", is_bearer=True)
    raise Uncompilable(f"the security scheme {name} is neither an API key in a header nor a bearer token")

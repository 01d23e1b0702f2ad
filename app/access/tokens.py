"""Bearer tokens: how a request's JSON Web Token (RFC 7519) is verified."""

from contract import Principal, RejectedError, Request


class NoTokens:
    """The verifier of a service that trusts no issuer."""

    async def verify(self, _credential: str, _request: Request) -> Principal:
        """Reject every token."""
        raise RejectedError("This service accepts API keys only; it trusts no issuer of tokens.")

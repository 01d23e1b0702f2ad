"""Who may do what in the pet store: what the contract's security schemes name."""

from typing import Any


def check_key(key: str) -> dict[str, Any] | None:
    """One key is good."""
    return {"sub": "keeper"} if key == "open" else None


def check_password(username: str, password: str) -> dict[str, Any] | None:
    """A password that is the name backwards is good."""
    return {"sub": username} if password == username[::-1] else None


async def check_token(token: str) -> dict[str, Any] | None:
    """A token is `for-` and a name; it is asked for asynchronously."""
    return {"uid": token.removeprefix("for-")} if token.startswith("for-") else None

"""Request ids: the client's own if it is valid, else a new one. The log has the same id."""

import random
import re
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the current request, `-` outside of one."""
HEADER = b"x-request-id"
_VALID = re.compile(r"[A-Za-z0-9._~:+/=@-]{1,64}")


def begin_request(given: str | None) -> str:
    """Return the id of a new request, and set it for the log."""
    if given is None or not _VALID.fullmatch(given):
        # It is no secret, and random numbers from the kernel would cost more than all the rest of the middleware.
        given = random.getrandbits(128).to_bytes(16, "big").hex()
    request_id.set(given)
    return given

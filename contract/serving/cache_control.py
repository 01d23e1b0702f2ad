"""`Cache-Control` for every response that has none, so that no cache has to guess (RFC 9111 §4.2.2)."""

from contract.responses.response import WireHeaders

HEADER = b"cache-control"
_REVALIDATE = (HEADER, b"no-cache")
_DO_NOT_STORE = (HEADER, b"no-store")


def add_cache_control(headers: WireHeaders) -> None:
    """Add `no-cache` to a response that has an ETag, `no-store` to any other (RFC 9111 §5.2.2).

    A response keeps its own `Cache-Control`.
    """
    added = _DO_NOT_STORE
    for name, _ in headers:
        if name == b"etag":
            added = _REVALIDATE
        elif name == HEADER:
            return
    headers.append(added)

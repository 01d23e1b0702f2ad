"""Trace ids: those of the client's `traceparent` (W3C Trace Context), so that the log can be found by them."""

import re
from contextvars import ContextVar

TRACEPARENT = b"traceparent"
trace_id: ContextVar[str] = ContextVar("trace_id", default="")
"""The trace that the current request belongs to; empty if its client names none."""
# https://www.w3.org/TR/trace-context/#traceparent-header-field-values: version, trace id, parent id, flags. Later
# versions may add fields. Version ff and ids of zeros are invalid.
_VALID = re.compile(r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


def trace_id_of(traceparent: str) -> str:
    """Return the trace id of a `traceparent`; empty if it is invalid, because the header is ignored then (§3.2.2)."""
    match = _VALID.fullmatch(traceparent)
    if match is None or (match["version"] == "00" and match[3] is not None):
        return ""
    return match[2]


def begin_trace(traceparent: str) -> None:
    """Set the trace id of the current request, for the log."""
    trace_id.set(trace_id_of(traceparent))

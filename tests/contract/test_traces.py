"""`traceparent`: which values name a trace (W3C Trace Context §3.2)."""

import pytest

from contract.serving.traces import trace_id, trace_id_of
from tests.support import ContractClient

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@pytest.mark.parametrize(
    "traceparent",
    [
        f"00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-00",
        f"00-{TRACE}-{PARENT}-ff",
        f"01-{TRACE}-{PARENT}-01",
        f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like",
        f"fe-{TRACE}-{PARENT}-01-",
    ],
)
def test_a_valid_one_names_the_trace(traceparent: str) -> None:
    """Later versions may add fields."""
    assert trace_id_of(traceparent) == TRACE


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        TRACE,
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-01-",
        f"00-{TRACE}-{PARENT}-01-more",
        f"01-{TRACE}-{PARENT}-01more",
        f"ff-{TRACE}-{PARENT}-01",
        f"0-{TRACE}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT.upper()}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}0-{PARENT}-01",
        f"00-{TRACE[1:]}g-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}-0x",
        f"00-{TRACE}-{PARENT}-01\n",
        f" 00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01",
        f"01-{TRACE}-{PARENT}-01, 01-{TRACE}-{PARENT}-01",
    ],
)
def test_an_invalid_one_is_ignored(traceparent: str) -> None:
    """So is one that is sent twice."""
    assert trace_id_of(traceparent) == ""


@pytest.mark.parametrize("path", ["/items", "/nothing", "/ui/", "/items/x"])
def test_an_invalid_one_does_not_change_the_response(client: ContractClient, path: str) -> None:
    """The header is ignored, as if it was not there."""
    expected, found = (client.get(path, headers=headers) for headers in ({}, {"traceparent": "00-x-y-z"}))
    assert (found.status_code, found.content) == (expected.status_code, expected.content)
    assert trace_id.get() == ""

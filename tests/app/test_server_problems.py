"""The problems of the server have types, below the prefix of a trusted proxy."""

from types import SimpleNamespace

import pytest

from app.server_problems import server_problem


@pytest.mark.parametrize(
    ("announced", "expected"),
    [("/shop", "/shop/problems/request-timeout"), ("//evil.example", "/problems/request-timeout")],
)
def test_a_type_has_the_prefix_of_the_request(announced: str, expected: str) -> None:
    """If the prefix is valid."""
    request = SimpleNamespace(headers_bytes=[(b"host", b"a"), (b"x-forwarded-prefix", announced.encode())])
    assert server_problem(408, "", request).document() == {
        "type": expected,
        "title": "Request Timeout",
        "status": 408,
        "detail": "The request did not arrive in time. Send it again.",
    }


def test_without_a_request_of_a_trusted_proxy_there_is_no_prefix() -> None:
    """The request could not be read, or its client is not trusted."""
    assert server_problem(431, "x", None).type == "/problems/request-header-fields-too-large"


def test_a_status_without_a_page_has_no_type() -> None:
    """Gunicorn's 426 is never sent."""
    assert server_problem(426, "", None).type == "about:blank"

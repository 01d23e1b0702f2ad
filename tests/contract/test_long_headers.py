"""All headers of a request have at most 32 KiB together; more are a 431."""

import pytest

from tests.support import ContractClient, assert_problem


@pytest.mark.parametrize(("method", "path"), [("GET", "/items"), ("POST", "/items"), ("GET", "/"), ("GET", "/ui/")])
def test_headers_may_have_32_kib(client: ContractClient, method: str, path: str) -> None:
    """Whatever serves the path."""
    headers = [("X-Padding", "x" * 8000)] * 4
    assert client.request(method, path, headers=headers, follow_redirects=False).status_code != 431
    response = client.request(method, path, headers=[*headers, ("X-Padding", "x" * 1000)])
    detail = "The headers are larger than this service accepts. Send fewer or shorter headers."
    assert_problem(response, 431, detail)
    assert response.headers["X-Request-Id"]

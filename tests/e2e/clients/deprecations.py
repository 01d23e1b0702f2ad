"""Sends requests, some of them to deprecated operations, with the Python client, and prints its warnings as JSON.

Arguments: the requests as JSON (method, path and the headers of the response), and `async` for the asynchronous client.
"""

import asyncio
import json
import sys
import warnings
from typing import Any

import httpx
from items_client.helpers import RetryTransport

REQUESTS: list[tuple[str, str, dict[str, str]]] = json.loads(sys.argv[1])
HEADERS = iter([headers for _, _, headers in REQUESTS])


def respond(_request: httpx.Request) -> httpx.Response:
    """Respond with the next headers."""
    return httpx.Response(200, headers=next(HEADERS))


async def send(transport: Any) -> None:
    """Send all requests with one transport."""
    if "async" in sys.argv:
        async with httpx.AsyncClient(transport=transport) as client:
            for method, path, _ in REQUESTS:
                await client.request(method, f"http://test{path}")
    else:
        with httpx.Client(transport=transport) as client:
            for method, path, _ in REQUESTS:
                client.request(method, f"http://test{path}")


inner = httpx.MockTransport(respond)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    asyncio.run(send(RetryTransport(sync=inner, asynchronous=inner)))
assert {warning.category for warning in caught} == {DeprecationWarning}
print(json.dumps([str(warning.message) for warning in caught]))

"""Runs the scenarios of `test_sdk_helpers.py` with the transport of the Python client, and prints what it did.

Arguments: the scenarios as JSON, and `async` for the asynchronous client.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest.mock import patch

import httpx
from items_client.helpers import Retry, RetryTransport

RETRY = Retry(attempts=4, total=60, base=0.1, longest=0.3)


class Half(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body whose connection breaks in the middle."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"["
        raise httpx.RemoteProtocolError("peer closed connection")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part


class Server:
    """Gives the outcomes of a scenario, one per attempt, and records the keys of the requests."""

    def __init__(self, outcomes: list[Any]) -> None:
        self.outcomes = outcomes
        self.keys: list[str | None] = []
        self.waits: list[float] = []

    def respond(self, request: httpx.Request) -> httpx.Response:
        """Return or raise the next outcome."""
        self.keys.append(request.headers.get("Idempotency-Key"))
        outcome = self.outcomes[len(self.keys) - 1]
        if outcome == "refused":
            raise httpx.ConnectError("refused")
        if outcome == "broken":
            raise httpx.ReadError("broken")
        if outcome == "silence":
            assert 0 < request.extensions["timeout"]["read"] <= RETRY.timeout
            raise httpx.ReadTimeout("silence")
        if outcome == "half":
            return httpx.Response(200, stream=Half())
        return httpx.Response(outcome["status"], headers=outcome.get("headers", {}), content=request.content)

    def sleep(self, seconds: float) -> None:
        """Wait in no time."""
        self.waits.append(round(seconds, 3))

    async def sleep_async(self, seconds: float) -> None:
        """Wait in no time."""
        self.sleep(seconds)


async def sent(server: Server, scenario: dict[str, Any], *, asynchronous: bool) -> httpx.Response:
    """Send the request of a scenario."""
    inner = httpx.MockTransport(server.respond)
    transport = RetryTransport(RETRY, sync=inner, asynchronous=inner)
    request = httpx.Request(
        scenario["method"], f"http://test{scenario['path']}", headers=scenario["headers"], content=scenario["body"]
    )
    if asynchronous:
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.send(request)
    with httpx.Client(transport=transport) as client:
        return client.send(request)


async def run(scenario: dict[str, Any], *, asynchronous: bool) -> dict[str, Any]:
    """Return what the transport did; the random part of a wait is in the middle of its range."""
    server = Server(scenario["outcomes"])
    final: int | str
    with (
        patch("random.uniform", lambda low, high: (low + high) / 2),
        patch("time.sleep", server.sleep),
        patch("anyio.sleep", server.sleep_async),
    ):
        try:
            response = await sent(server, scenario, asynchronous=asynchronous)
            final = response.status_code
            assert response.text == (scenario["body"] or "")
        except httpx.TransportError:
            final = "error"
    return {"final": final, "waits": server.waits, "keys": server.keys}


async def main() -> None:
    """Run all scenarios."""
    asynchronous = "async" in sys.argv
    print(json.dumps([await run(scenario, asynchronous=asynchronous) for scenario in json.loads(sys.argv[1])]))


asyncio.run(main())

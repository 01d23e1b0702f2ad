"""`make bench-access`: what access control and rate limits add to a request, in one process without a server.

The same GET is sent to three applications: one that is open, one without rate limits, and one that is secured, with a
key and with a token that it knows. They take turns in rounds, and the medians of the CPU time are compared.
"""

import asyncio
import json
import re
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from app import create_app, specification
from app.access.commands import new_key_for
from app.settings import Settings
from db.engine import Database

ROUNDS = 30
REQUESTS = 1000  # in each round
TARGETS = {"key": 10.0, "token": 25.0}
"""The most microseconds that a known credential may cost."""
_ISSUER = "https://issuer.example"
Get = Callable[[], Awaitable[None]]


def main() -> None:
    """Measure, print the costs, and fail if one is above its target."""
    with tempfile.TemporaryDirectory() as folder:
        gets = _applications(Path(folder))
        medians = asyncio.run(_measure(gets))
    limits = medians["open"] - medians["unlimited"]
    print(f"open         {medians['open']:6.2f} µs, {limits:.2f} of them for the rate limit")
    missed = False
    for name, most in TARGETS.items():
        cost = medians[name] - medians["open"]
        missed = missed or cost > most
        print(f"with a {name:6}{medians[name]:6.2f} µs: {cost:+.2f} µs, at most {most:g}")
    raise SystemExit(1 if missed else 0)


async def _measure(gets: Mapping[str, Get]) -> dict[str, float]:
    for get in gets.values():
        await get()
    seconds: dict[str, list[float]] = {name: [] for name in gets}
    for _ in range(ROUNDS):
        for name, get in gets.items():
            start = time.process_time()
            for _ in range(REQUESTS):
                await get()
            seconds[name].append((time.process_time() - start) / REQUESTS)
    return {name: statistics.median(found) * 1e6 for name, found in seconds.items()}


def _applications(folder: Path) -> dict[str, Get]:
    """Return what sends the request, by name."""
    key = rsa.generate_private_key(65537, 2048)
    jwk = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": "one"}
    (folder / "jwks.json").write_text(json.dumps({"keys": [jwk]}))
    environ = {"DATABASE_URL": f"sqlite:///{folder}/items.db", "KEYS_SECRET_FILE": f"{folder}/keys.secret"}
    issuer = {"JWT_JWKS": f"{folder}/jwks.json", "JWT_ISSUER": _ISSUER, "JWT_AUDIENCE": "items"}
    is_open = Settings.from_environ({**environ, "ACCESS": "open"})
    secured = Settings.from_environ({**environ, **issuer, "ACCESS": "secured"})
    Database(secured.database_url).create()
    claims = {"iss": _ISSUER, "aud": "items", "sub": "alice", "exp": int(time.time()) + 3600, "scope": "items:read"}
    token = jwt.encode(claims, key, "RS256", headers={"kid": "one"})
    app = create_app(secured)
    return {
        "unlimited": _get(_without_limits(folder, is_open)),
        "open": _get(create_app(is_open)),
        "key": _get(app, (b"x-api-key", new_key_for(secured, "alice", "items:read").encode())),
        "token": _get(app, (b"authorization", f"Bearer {token}".encode())),
    }


def _without_limits(folder: Path, settings: Settings) -> Any:
    """Return the application of a contract that declares no rate limits."""
    file = folder / "items.yaml"
    text = specification.SPECIFICATION.read_text("utf-8")
    file.write_text(re.sub(r"(?m)^ *x-rate-limit:.*\n", "", text), "utf-8")
    with patch.object(specification, "SPECIFICATION", file):
        return create_app(settings)


def _get(app: Any, *headers: tuple[bytes, bytes]) -> Get:
    """Return what sends `GET /items` to an application, and requires 200."""

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200, message

    async def get() -> None:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": "/items", "raw_path": b"/items", "root_path": "", "query_string": b"",
            "headers": [(b"host", b"testserver"), *headers], "client": ("127.0.0.1", 1), "server": ("testserver", 80),
            "state": {},
        }  # fmt: skip
        await app(scope, receive, send)

    return get


if __name__ == "__main__":
    main()

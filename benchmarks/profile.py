"""The time of a request inside the service: `python -m benchmarks.profile`, or `make profile`.

The application runs in this process, without a server and a network, with and without cProfile. The profile gives the
shares, and the time without it gives the total.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

from app import create_app
from app.settings import Settings
from benchmarks import report
from benchmarks.data import MEMORY, copy
from benchmarks.registry import CHECKOUT
from benchmarks.scenarios import SCENARIOS, Scenario

Message = dict[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
Function = tuple[str, int, str]
Times = dict[Function, tuple[int, int, float, float, dict[Function, tuple[int, int, float, float]]]]
# Compiled code with its own row in the table; the time of all other built-ins counts for their callers.
COMPILED = {"sqlite3": "SQLite", "orjson": "orjson", "jsonschema_rs": "jsonschema_rs"}
WARM_UP = 200


def main() -> None:
    """Profile each scenario and print the tables."""
    keys = [one.key for one in SCENARIOS if one.place == MEMORY]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--requests", type=int, default=3000, help="how many requests each scenario makes")
    parser.add_argument("--top", type=int, default=12, help="how many functions are listed for each scenario")
    parser.add_argument("--scenarios", nargs="+", choices=keys, default=keys, metavar="SCENARIO")
    options = parser.parse_args()
    chosen = [one for one in SCENARIOS if one.key in options.scenarios]
    with copy() as database:
        asyncio.run(_profile_all(database, chosen, options.requests, options.top))


async def _profile_all(database: Path, scenarios: list[Scenario], count: int, top: int) -> None:
    settings = Settings.from_environ(os.environ | {"DATABASE_URL": f"sqlite:///{database}", "LOG_LEVEL": "warning"})
    app = create_app(settings)
    costs, times = {}, {}
    async with running(app):
        for scenario in scenarios:
            costs[scenario], times[scenario] = await _profile(app, scenario, count)

    rooms = {scenario: by_folder(times[scenario]) for scenario in scenarios}
    print(f"{_folders_table(costs, rooms)}\n")
    for scenario in scenarios:
        print(f"{scenario.title}\n\n{_functions_table(costs[scenario], times[scenario], top)}\n")


@asynccontextmanager
async def running(app: App) -> AsyncIterator[None]:
    """Run the lifespan of an application (ASGI)."""
    started, ended = asyncio.Event(), asyncio.Event()
    messages = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> Message:
        message = next(messages)
        if message == "lifespan.shutdown":
            await ended.wait()
        return {"type": message}

    async def send(message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            started.set()

    task = asyncio.ensure_future(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send))
    await started.wait()
    yield
    ended.set()
    await task


async def _profile(app: App, scenario: Scenario, count: int) -> tuple[float, Times]:
    """Return the seconds per request without the profiler, and the profile."""
    call = await _caller(app, scenario)
    for _ in range(WARM_UP):
        await call()
    began = time.process_time()
    for _ in range(count):
        await call()
    cost = (time.process_time() - began) / count
    with cProfile.Profile() as profiler:
        for _ in range(count):
            await call()
    times: Times = pstats.Stats(profiler).stats  # type: ignore[attr-defined]  # documented by its source only
    return cost, times


async def _caller(app: App, scenario: Scenario) -> Callable[[], Awaitable[None]]:
    """Return a function that sends the scenario's request and checks its status."""
    request = scenario.request
    if scenario.status == HTTPStatus.NOT_MODIFIED:
        request = replace(request, headers={"If-None-Match": '"1"'})
    path, _, query = request.url().partition("?")
    body = request.body.encode()
    headers = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-length", str(len(body)).encode()), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message.get("status", scenario.status) != scenario.status:
            raise RuntimeError(f"{scenario.title}: {message}")

    async def call() -> None:
        await app({**scope, "state": {}}, receive, send)

    return call


def by_folder(times: Times) -> dict[str, float]:
    """Return the own seconds by folder of the checkout, by package, and by compiled library."""
    rooms: defaultdict[str, float] = defaultdict(float)
    for function, (_, _, own, _, callers) in times.items():
        name = folder(function)
        if name:
            rooms[name] += own
        else:
            for caller, (_, _, part, _) in callers.items():
                rooms[folder(caller) or "Python"] += part
    return rooms


def folder(function: Function) -> str:
    """Return the folder or package of a function; empty for a built-in without its own row."""
    file, _, name = function
    if file == "~":
        return next((label for word, label in COMPILED.items() if word in name), "")
    path = Path(file)
    if "site-packages" in path.parts:
        return path.parts[path.parts.index("site-packages") + 1].removesuffix(".py")
    if path.is_relative_to(CHECKOUT):
        return f"{path.relative_to(CHECKOUT).parts[0]}/"
    return "Python"


def _folders_table(costs: dict[Scenario, float], rooms: dict[Scenario, dict[str, float]]) -> str:
    """Tabulate µs per request by folder, highest first; the profiler's own cost is distributed proportionally."""
    scale = {one: costs[one] * 1e6 / sum(rooms[one].values()) for one in costs}
    totals: defaultdict[str, float] = defaultdict(float)
    for one, shares in rooms.items():
        for name, own in shares.items():
            totals[name] += own * scale[one]
    rows = [
        [name, *(f"{rooms[one].get(name, 0) * scale[one]:.1f}" for one in costs)]
        for name in sorted(totals, key=totals.__getitem__, reverse=True)
        if name != "benchmarks/"
    ]
    rows.append(["all", *(f"{cost * 1e6:.1f}" for cost in costs.values())])
    return report.table(["µs per request", *(one.title for one in costs)], rows)


def _functions_table(cost: float, times: Times, top: int) -> str:
    """Tabulate the functions with the most own time."""
    total = sum(entry[2] for entry in times.values())
    dearest = sorted(times.items(), key=lambda item: item[1][2], reverse=True)[:top]
    rows = [
        [_name(function), f"{own / total:.0%}", f"{own / total * cost * 1e6:.1f}"]
        for function, (_, _, own, _, _) in dearest
    ]
    return report.table(["function", "share", "µs"], rows)


def _name(function: Function) -> str:
    file, line, name = function
    if file == "~":
        return f"`{name.strip('<>')}`"
    home = folder(function)
    return f"`{name}` {home if home.endswith('/') else home + ': '}{Path(file).name}:{line}"


if __name__ == "__main__":
    main()

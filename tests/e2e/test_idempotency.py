"""Exactly once: clients that retry with idempotency keys, while workers and the whole service are killed."""

import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.e2e.retries import Done, retrying
from tests.e2e.stack import (
    Running,
    Show,
    ask,
    free_port,
    kill_service,
    kill_worker,
    listens,
    service,
    wait_until,
    workers,
)

KILLS = int(os.environ.get("KILLS", "200"))
"""How many workers and whole services are killed."""
SEED = 1


def _kill_workers(running: Running, chance: random.Random, number: int, done: "list[Done]") -> None:
    for _ in range(number):
        before = sum(len(one.items) for one in done)
        wait_until(
            lambda before=before: sum(len(one.items) for one in done) >= before + chance.randint(1, 20),  # type: ignore[misc]
            "some items are done",
        )
        wait_until(lambda: len(workers(running)) == 2, "there are two workers")
        kill_worker(running, chance.choice)


def _kill_all(running: Running) -> None:
    kill_service(running)
    wait_until(lambda: not listens(running.port), "all processes have ended")


def test_every_request_is_done_once(tmp_path: Path, show: Show) -> None:
    """Each item is there once, with its last name, whatever was killed in between."""
    chance, port = random.Random(SEED), free_port()
    rounds = max(1, KILLS // 20)
    with retrying(port) as clients:
        done = [client.done for client in clients]
        for number in range(rounds):
            with service(tmp_path, PORT=str(port), ACCESS_LOG="off") as running:
                _kill_workers(running, chance, KILLS // rounds - 1, done)
                if number < rounds - 1:
                    _kill_all(running)
                else:
                    for client in clients:
                        client.stop.set()
                    for client in clients:
                        client.join()
                    assert ask(port, "GET", "/readyz").status == 200
    with closing(sqlite3.connect(tmp_path / "items.db")) as connection:
        stored = dict(connection.execute("SELECT id, name FROM items"))
    expected = {item_id: name for one in done for item_id, name in one.items.items()}
    retries, replayed = sum(one.retries for one in done), sum(one.replayed for one in done)
    show(f"{KILLS} kills, seed {SEED}: {len(expected)} items, {retries} retries, {replayed} replayed")
    assert [one.unexpected for one in done] == [[]] * len(done)
    assert stored == expected
    assert replayed

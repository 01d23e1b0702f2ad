"""Workers are killed under load: nginx repeats no write, so no write fails because it was already done."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.stack import Response, Show, ask, edge, kill_worker, post, service, wait_until

CLIENTS, KILLS = 4, 100


@dataclass
class Client:
    """Changes and deletes items of its own. It knows their state, except after a 502."""

    port: int
    done: threading.Event
    statuses: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        """Work until the end."""
        while not self.done.is_set():
            created = post(self.port, {"name": "Mine"})
            self.count("POST", created)
            if created.status == 201:
                self.change(created["Location"], created["ETag"])

    def change(self, path: str, tag: str) -> None:
        """Change the item, and delete it. Stop when it is not known whether a change was done."""
        for method, body in (("PUT", {"name": "Changed"}), ("PATCH", {"name": "Changed again"}), ("DELETE", None)):
            headers = {"If-Match": tag, "Content-Type": "application/json"}
            response = ask(self.port, method, path, json.dumps(body).encode() if body else None, headers)
            self.count(method, response)
            if response.status != 200:
                return
            tag = response["ETag"]

    def count(self, method: str, response: Response) -> None:
        """Count the status of a response."""
        self.statuses[f"{method} {response.status}"] += 1


def test_no_write_is_done_twice(tmp_path: Path, show: Show) -> None:
    """Each client knows the ETag of its item, so a 412 or a 404 would be false. A write that may be done is a 502."""
    done = threading.Event()
    with service(tmp_path) as app, edge(tmp_path / "edge", app.port) as nginx, ThreadPoolExecutor(CLIENTS) as pool:
        clients = [Client(nginx.port, done) for _ in range(CLIENTS)]
        running = [pool.submit(client.run) for client in clients]

        def requests() -> int:
            return sum(client.statuses.total() for client in clients)

        try:
            for number in range(KILLS):
                goal = requests() + 20
                wait_until(lambda goal=goal: requests() >= goal, "20 more responses")  # type: ignore[misc]
                kill_worker(app, lambda pids, number=number: pids[number % len(pids)])  # type: ignore[misc]
        finally:
            done.set()
        for client in running:
            client.result()
    total = sum((client.statuses for client in clients), Counter[str]())
    show(f"{KILLS} workers killed: {dict(sorted(total.items()))}")
    expected = {
        "POST 201",
        "PUT 200",
        "PATCH 200",
        "DELETE 204",
        *(f"{m} 502" for m in ("POST", "PUT", "PATCH", "DELETE")),
    }
    assert total.keys() <= expected
    assert total["DELETE 204"] > KILLS

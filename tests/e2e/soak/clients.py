"""Clients of the soak test: each knows the state of its own items, so it notices a write that is lost or done twice."""

import http.client
import json
import random
import re
import threading
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

SECONDS = 60.0
KEPT_ITEMS = 40
REPEATS = 100
"""More than any disturbance lasts: a client waits 50 ms between two tries."""
NONE: Mapping[str, str] = MappingProxyType({})


@dataclass
class Tally:
    """What happened: statuses by method, tries that failed, and what contradicts an earlier response."""

    statuses: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    limited: int = 0
    replayed: int = 0
    lost: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add the counts of another client."""
        self.statuses += other.statuses
        self.failed += other.failed
        self.limited += other.limited
        self.replayed += other.replayed
        self.lost += other.lost


@dataclass(frozen=True)
class Item:
    """An item as the client knows it from the last response."""

    path: str
    name: str
    tag: str


class Client(threading.Thread):
    """Creates, reads, lists, updates and deletes items until it is stopped, and ends what it has begun."""

    def __init__(self, number: int, port: int) -> None:
        super().__init__(daemon=True)
        self.number = number
        self.items: list[Item] = []
        self.tally = Tally()
        self.stop = threading.Event()
        self._keep = number % 2 == 0
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        self._random = random.Random(number)
        self._created = 0

    def run(self) -> None:
        """Do one thing after the other."""
        while not self.stop.wait(self._random.uniform(0, 0.02)):
            some = self._random.choice([self._create, self._read, self._update, self._patch, self._pages, self._remove])
            if some in (self._create, self._pages) or self.items:
                some()
        self._connection.close()

    def _create(self) -> None:
        """Create an item. The key makes it safe to repeat the request until there is a response."""
        if len(self.items) >= KEPT_ITEMS:
            self._remove()
        self._created += 1
        name = f"client {self.number}, item {self._created}"
        response, content = self._safely("POST", "/items", {"name": name})
        if response.status == 201:
            self.items.append(Item(f"/items/{json.loads(content)['id']}", name, response.headers["ETag"]))
        else:
            self._lost(f"{name}: a create is {response.status}")

    def _read(self) -> None:
        """Read an item, and again with its ETag."""
        item = self._random.choice(self.items)
        response, content = self._repeat("GET", item.path)
        if (response.status, response.headers["ETag"]) != (200, item.tag) or json.loads(content)["name"] != item.name:
            self._lost(f"{item} is read as {response.status} {content!r}")
        response, _ = self._repeat("GET", item.path, headers={"If-None-Match": item.tag})
        if response.status != 304:
            self._lost(f"{item} has changed: {response.status}")

    def _update(self) -> None:
        """Replace an item with If-Match. Without a response, read what has happened: all or nothing."""
        item = self._random.choice(self.items)
        name = f"{item.name.partition(';')[0]}; {uuid.uuid4().hex[:8]}"
        done = self._once("PUT", item.path, {"name": name}, {"If-Match": item.tag})
        if done is None:
            response, content = self._repeat("GET", item.path)
            if response.status != 200 or json.loads(content)["name"] not in (item.name, name):
                self._lost(f"{item} after an update without a response: {response.status} {content!r}")
            if response.status == 200:
                self._known(item, Item(item.path, json.loads(content)["name"], response.headers["ETag"]))
        elif done[0].status == 200:
            self._known(item, Item(item.path, name, done[0].headers["ETag"]))
        else:
            self._lost(f"{item}: an update with the current ETag is {done[0].status}")

    def _patch(self) -> None:
        """Change an item with a key and If-Match, and repeat it until there is a response."""
        item = self._random.choice(self.items)
        name = f"{item.name.partition(';')[0]}; {uuid.uuid4().hex[:8]}"
        response, _ = self._safely("PATCH", item.path, {"name": name}, {"If-Match": item.tag})
        if response.status == 200:
            self._known(item, Item(item.path, name, response.headers["ETag"]))
        else:
            self._lost(f"{item}: a patch with the current ETag is {response.status}")

    def _remove(self) -> None:
        """Delete an item with If-Match. Without a response, read whether it was done."""
        item = self._random.choice(self.items)
        done = self._once("DELETE", item.path, None, {"If-Match": item.tag})
        if done is None:
            response, _ = self._repeat("GET", item.path)
            if response.status == 200:
                return
            status = response.status
        else:
            status = done[0].status
        self.items.remove(item)
        if status not in ((204,) if done else (404,)):
            self._lost(f"{item}: a delete with the current ETag is {status}")

    def _pages(self) -> None:
        """Follow some pages: ids ascend, so no item is there twice."""
        path, last = "/items?limit=20", 0
        for _ in range(5):
            response, content = self._repeat("GET", path)
            if response.status != 200:
                self._lost(f"a page is {response.status}")
                return
            ids = [last, *(item["id"] for item in json.loads(content))]
            if ids != sorted(set(ids)):
                self._lost(f"{path} has an item twice: {ids}")
            found = re.search(r'<([^>]+)>; rel="next"', response.headers["Link"] or "")
            if found is None:
                return
            path, last = found[1], ids[-1]

    def _known(self, old: Item, new: Item) -> None:
        self.items[self.items.index(old)] = new

    def _lost(self, text: str) -> None:
        self.tally.lost.append(text)

    def _safely(
        self, method: str, path: str, body: Any, headers: Mapping[str, str] = NONE
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Send a write with an Idempotency-Key, and repeat it with the same key until there is a response."""
        response, content = self._repeat(method, path, body, {**headers, "Idempotency-Key": f'"{uuid.uuid4()}"'})
        self.tally.replayed += response.headers["Idempotency-Replayed"] is not None
        return response, content

    def _repeat(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = NONE
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Send a request that is safe to repeat until there is a response of the service."""
        for _ in range(REPEATS):
            done = self._once(method, path, body, headers)
            if done is not None:
                return done
            self.stop.wait(0.05)
        raise RuntimeError(f"{method} {path} failed {REPEATS} times")

    def _once(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = NONE
    ) -> tuple[http.client.HTTPResponse, bytes] | None:
        """Send a request; None if there is no response, or a 5xx: then it is not known whether it was done.

        A request that a limit refuses was not done, and is sent again when the limit allows it.
        """
        while True:
            done = self._try(method, path, body, headers)
            if done is None or done[0].status != 429:
                return done
            self.tally.limited += 1
            self.stop.wait(min(float(done[0].headers["Retry-After"] or 1), 5))

    def _try(
        self, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes] | None:
        if not self._keep:
            self._connection.close()
        sent = json.dumps(body).encode() if body else None
        media_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            self._connection.request(method, path, sent, {"Content-Type": media_type, **headers})
            with self._connection.getresponse() as response:
                content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.tally.failed[f"{method} {type(error).__name__}"] += 1
            self._connection.close()
            return None
        self.tally.statuses[f"{method} {response.status}"] += 1
        if response.status >= 500:
            self.tally.failed[f"{method} {response.status}"] += 1
            return None
        return response, content

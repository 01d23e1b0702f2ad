"""Writes to SQLite with the real Gunicorn: nothing acknowledged is lost, and nobody else waits for them."""

import http.client
import itertools
import json
import os
import random
import resource
import shutil
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from db.file_lock import FileLock
from tests.e2e.stack import Response, Running, Show, ask, kill_service, kill_worker, post, service, wait_until, workers

KILLS_OF_WORKERS = 190
KILLS_OF_ALL = 12
SECONDS_OF_LOAD = int(os.environ.get("WRITES_SECONDS", "10"))
UNREACHABLE = "The database cannot be reached. Try again in a moment."


class Client(threading.Thread):
    """Repeats a function with a connection that stays open, until it is stopped."""

    def __init__(self, ports: list[int], act: Callable[["Client"], None]) -> None:
        super().__init__(daemon=True)
        self._ports = ports
        self._act = act
        self._connection: http.client.HTTPConnection | None = None
        self.stopping = threading.Event()
        self.count = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Repeat until stopped."""
        try:
            while not self.stopping.is_set():
                self._act(self)
                self.count += 1
        except BaseException as error:  # noqa: BLE001 -- raised by the test
            self.failure = error
        finally:
            self._close()

    def ask(self, method: str, path: str, document: Any = None, **headers: str) -> Response | None:
        """Send one request to the present service; return None if it has no response."""
        body = None if document is None else json.dumps(document).encode()
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            if self._connection is None or self._connection.port != self._ports[-1]:
                self._close()
                self._connection = http.client.HTTPConnection("127.0.0.1", self._ports[-1], timeout=30)
            self._connection.request(
                method, path, body, {name.replace("_", "-"): text for name, text in headers.items()}
            )
            with self._connection.getresponse() as response:
                return Response(response.status, tuple(response.getheaders()), response.read())
        except (OSError, http.client.HTTPException):
            self._close()
            return None

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def clients(ports: list[int], number: int, act: Callable[[Client], None]) -> Iterator[list[Client]]:
    """Run this number of clients; fail if one of them fails."""
    started = [Client(ports, act) for _ in range(number)]
    for client in started:
        client.start()
    try:
        yield started
    finally:
        for client in started:
            client.stopping.set()
        for client in started:
            client.join(40)
    for client in started:
        if client.failure is not None:
            raise client.failure


def _rows(folder: Path) -> list[tuple[int, str, str]]:
    with closing(sqlite3.connect(folder / "items.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT id, name, description FROM items").fetchall()


class Record:
    """Creates items with names of their own, and remembers which were acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: dict[int, str] = {}
        self.unconfirmed: set[str] = set()
        self._names = itertools.count()

    def create(self, client: Client) -> None:
        """Create one item."""
        name = f"item {next(self._names)}"
        response = client.ask("POST", "/items", {"name": name, "description": f"{name}, whole"})
        if response is None:
            self.unconfirmed.add(name)
            client.stopping.wait(0.005)
        else:
            assert response.status == 201, response
            self.acknowledged[response.json()["id"]] = name

    def compare(self, folder: Path) -> str:
        """Compare with the database: what was acknowledged is there once, everything is whole. Return the counts."""
        rows = _rows(folder)
        assert all(description == f"{name}, whole" for _, name, description in rows)
        names = Counter(name for _, name, _ in rows)
        assert set(names.values()) <= {1}
        stored = {row_id: name for row_id, name, _ in rows}
        assert self.acknowledged.items() <= stored.items()
        others = stored.keys() - self.acknowledged.keys()
        assert {stored[row_id] for row_id in others} <= self.unconfirmed
        return (
            f"{len(self.acknowledged)} acknowledged, 0 of them lost or there twice; "
            f"{len(self.unconfirmed)} without a response, {len(others)} of them stored"
        )


def test_no_kill_loses_an_acknowledged_write(tmp_path: Path, show: Show) -> None:
    """Workers and whole services are killed at random; what was acknowledged is there once, the rest is whole."""
    chance = random.Random(1)
    record = Record()
    ports: list[int] = []
    kills = 0

    def progress() -> None:
        enough = len(record.acknowledged) + chance.randrange(5, 60)
        wait_until(lambda: len(record.acknowledged) >= enough, "more items")

    with ExitStack() as stack:
        gunicorn = stack.enter_context(service(tmp_path, ACCESS_LOG="off"))
        ports.append(gunicorn.port)
        writers = stack.enter_context(clients(ports, 12, record.create))
        for turn in range(KILLS_OF_ALL + 1):
            for _ in range(KILLS_OF_WORKERS // KILLS_OF_ALL + 1):
                progress()
                kill_worker(gunicorn, chance.choice)
                kills += 1
            if turn < KILLS_OF_ALL:
                progress()
                kill_service(gunicorn, workers_too=chance.random() < 0.7)
                kills += 1
                gunicorn = stack.enter_context(service(tmp_path, ACCESS_LOG="off"))
                ports.append(gunicorn.port)
        progress()
        for writer in writers:
            writer.stopping.set()
        for writer in writers:
            writer.join(40)
        assert {writer.failure for writer in writers} == {None}
    assert kills >= 200
    show(f"{kills} kills: {record.compare(tmp_path)}")


@contextmanager
def _held(folder: Path, kind: str) -> Iterator[None]:
    """Hold the lock of the workers, or SQLite's, as another program would."""
    if kind == "lock file":
        lock = FileLock(f"{folder}/items.db-lock")
        lock.acquire()
        yield
        lock.release()
        return
    with closing(sqlite3.connect(folder / "items.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("COMMIT")


@pytest.mark.parametrize("kind", ["lock file", "SQLite"])
def test_reads_do_not_wait_for_another_process_that_writes(tmp_path: Path, kind: str) -> None:
    """Health checks and reads have their responses while writes wait; then the writes succeed."""
    responses: list[Response] = []
    with service(tmp_path, WRITE_TIMEOUT="60") as gunicorn:
        writers = [
            threading.Thread(target=lambda: responses.append(post(gunicorn.port, {"name": "late"}))) for _ in range(8)
        ]
        with _held(tmp_path, kind):
            for writer in writers:
                writer.start()
            for _ in range(40):
                for path in ("/healthz", "/readyz", "/items"):
                    assert ask(gunicorn.port, "GET", path).status == 200
            assert ask(gunicorn.port, "GET", "/items").json() == []
            assert responses == []
        for writer in writers:
            writer.join(30)
    assert [response.status for response in responses] == [201] * 8
    assert len(_rows(tmp_path)) == 8


@pytest.mark.parametrize("kind", ["lock file", "SQLite"])
def test_a_write_that_waits_too_long_is_a_503(tmp_path: Path, kind: str) -> None:
    """The setting is WRITE_TIMEOUT; nothing was changed, and the next write succeeds."""
    with service(tmp_path, WRITE_TIMEOUT="1") as gunicorn:
        with _held(tmp_path, kind):
            response = post(gunicorn.port, {"name": "too late"})
            assert (response.status, response["Retry-After"]) == (503, "1")
            assert response.json()["detail"] == "The database is busy. Try again in a moment."
        assert post(gunicorn.port, {"name": "in time"}).status == 201
    assert [name for _, name, _ in _rows(tmp_path)] == ["in time"]


def test_a_commit_that_fails_is_a_problem_for_its_whole_group(tmp_path: Path) -> None:
    """The system refuses to let the WAL grow (RLIMIT_FSIZE); 404 of the same group become the problem, too."""
    seen: Counter[int] = Counter()
    record = Record()

    def write(client: Client) -> None:
        response = client.ask("POST", "/items", {"name": "x", "description": "x" * 200})
        assert response is not None
        seen[response.status] += 1
        if response.status == 201:
            record.acknowledged[response.json()["id"]] = "x"
        else:
            assert (response.status, response["Retry-After"]) == (503, "5")
            assert response.json()["detail"] == UNREACHABLE

    with service(tmp_path, ACCESS_LOG="off") as gunicorn, clients([gunicorn.port], 16, write):
        wait_until(lambda: seen[201] > 100, "items")
        limit = (tmp_path / "items.db-wal").stat().st_size
        _limit_files(gunicorn, limit // 2)
        before = seen[503]
        wait_until(lambda: seen[503] > before + 100, "commits that fail")
        _limit_files(gunicorn, resource.RLIM_INFINITY)
        after = seen[201]
        wait_until(lambda: seen[201] > after + 100, "items again")
    assert {row_id for row_id, *_ in _rows(tmp_path)} == record.acknowledged.keys()


def _limit_files(gunicorn: Running, size: int) -> None:
    for pid in workers(gunicorn):
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


def test_a_load_of_everything_has_no_server_error_and_no_lost_update(tmp_path: Path) -> None:
    """32 clients read, delete what they created, and count in one item with `If-Match`."""
    counted: list[int] = []
    statuses: Counter[int] = Counter()

    def request(client: Client, method: str, path: str, document: Any = None, **headers: str) -> Response:
        response = client.ask(method, path, document, **headers)
        assert response is not None
        statuses[response.status] += 1
        assert response.status < 500, response
        return response

    def act(client: Client) -> None:
        counter = request(client, "GET", "/items/1")
        value = int(counter.json()["name"])
        changed = request(client, "PATCH", "/items/1", {"name": str(value + 1)}, If_Match=counter["ETag"])
        if changed.status == 200:
            counted.append(value + 1)
        else:
            assert changed.status == 412
        created = request(client, "POST", "/items", {"name": "short-lived"}).json()["id"]
        assert request(client, "GET", "/items?limit=5").status == 200
        assert request(client, "DELETE", f"/items/{created}").status == 204
        assert request(client, "GET", f"/items/{created}").status == 404

    with service(tmp_path, ACCESS_LOG="off") as gunicorn:
        assert post(gunicorn.port, {"name": "0"}).json()["id"] == 1
        end = time.monotonic() + SECONDS_OF_LOAD
        with clients([gunicorn.port], 32, act) as started:
            wait_until(lambda: time.monotonic() > end, "the end", SECONDS_OF_LOAD + 30)
        final = int(ask(gunicorn.port, "GET", "/items/1").json()["name"])
    print(f"{dict(statuses)}; counted to {final}")
    assert sorted(counted) == list(range(1, final + 1))
    assert len(_rows(tmp_path)) == 1
    assert min(client.count for client in started) > 0


def test_a_deleted_database_is_a_503_until_it_is_back(tmp_path: Path) -> None:
    """Nothing is acknowledged meanwhile, and `/readyz` says so; each worker logs it once."""
    with service(tmp_path) as gunicorn:
        file, elsewhere = tmp_path / "items.db", tmp_path / "elsewhere.db"
        kept = [post(gunicorn.port, {"name": "kept"}).json()["id"] for _ in range(20)]
        file.rename(elsewhere)
        for _ in range(20):
            for response in (
                post(gunicorn.port, {"name": "lost"}),
                ask(gunicorn.port, "GET", "/items"),
                ask(gunicorn.port, "GET", "/readyz"),
            ):
                assert (response.status, response["Retry-After"]) == (503, "5")
            assert ask(gunicorn.port, "GET", "/healthz").status == 200
        assert not file.exists()
        elsewhere.rename(file)
        assert ask(gunicorn.port, "GET", "/readyz").status == 200
        kept += [post(gunicorn.port, {"name": "kept"}).json()["id"] for _ in range(20)]
        log = gunicorn.out.read_text() + gunicorn.err.read_text()
        assert 1 <= log.count("was deleted or moved") <= 2
    assert sorted(row_id for row_id, *_ in _rows(tmp_path)) == kept


def test_a_replaced_database_is_used_at_once(tmp_path: Path) -> None:
    """Everything acknowledged is in one of the two files, and nothing of the old WAL gets into the new one."""
    record = Record()
    with service(tmp_path, ACCESS_LOG="off") as gunicorn:
        copy = tmp_path / "copy.db"
        with closing(sqlite3.connect(tmp_path / "items.db")) as source:
            source.execute("VACUUM INTO ?", (str(copy),))

        def write(client: Client) -> None:
            response = client.ask("POST", "/items", {"name": "x", "description": "x"})
            assert response is not None
            assert response.status in (201, 503), response

        with clients([gunicorn.port], 8, write) as writers:
            wait_until(lambda: sum(writer.count for writer in writers) > 200, "items")
            copy.replace(tmp_path / "items.db")
        record.acknowledged = {
            post(gunicorn.port, {"name": "new", "description": "d"}).json()["id"]: "new" for _ in range(20)
        }
        assert ask(gunicorn.port, "GET", "/readyz").status == 200
    rows = _rows(tmp_path)
    assert {row_id for row_id, name, _ in rows if name == "new"} == record.acknowledged.keys()


@pytest.mark.parametrize("ends", [("",), ("", "-wal", "-shm")], ids=["the file", "all three"])
@pytest.mark.parametrize("opened", ["before", "while it was read-only"])
def test_a_read_only_database_heals(tmp_path: Path, ends: tuple[str, ...], opened: str) -> None:
    """After `chmod 444` and back, writes succeed without a restart, whenever the worker has opened the file."""
    prefix: list[str] = []
    if os.geteuid() == 0:  # permissions do not bind root, unless it gives up the capability
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is not installed (apt-get install util-linux), and root may write to every file")
        prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    with service(tmp_path, prefix=prefix, WEB_CONCURRENCY="1") as gunicorn:
        names = ["first"]
        post(gunicorn.port, {"name": "first"})
        files = [tmp_path / f"items.db{end}" for end in ends]
        for file in files:
            file.chmod(0o444)
        if opened != "before":
            worker = kill_worker(gunicorn)
            wait_until(lambda: bool(workers(gunicorn) - {worker}), "another worker")
            for _ in range(3):
                assert post(gunicorn.port, {"name": "refused"}).status == 503
                ask(gunicorn.port, "GET", "/items")
        for file in files:
            file.chmod(0o644)
        for _ in range(3):
            assert post(gunicorn.port, {"name": "kept"}).status == 201
            names.append("kept")
        assert ask(gunicorn.port, "GET", "/readyz").status == 200
    assert [name for _, name, _ in _rows(tmp_path)] == names

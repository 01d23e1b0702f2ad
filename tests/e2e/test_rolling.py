"""The containers while instances of the service restart, are replaced, start and end: clients do not notice."""

import http.client
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from db import revisions
from tests.e2e.stack import ROOT, VAR, Composed, Response, Show, ask, composed, post, wait_until

JSON = {"Content-Type": "application/json"}
REPEATABLE = ("GET", "PUT", "DELETE")
UPDATES = 30
"""The limit of `update_item` here in an hour. The tests use it up; nothing else sends a PATCH."""


def limited(folder: Path) -> Path:
    """Write a second file for Compose, which gives the service a contract with this limit."""
    contract = (ROOT / "openapi" / "items.yaml").read_text()
    lines = "    patch:\n      operationId: update_item\n"
    assert contract.count(lines) == 1
    limit = f"      x-rate-limit: {{requests: {UPDATES}, seconds: 3600}}\n"
    (folder / "items.yaml").write_text(contract.replace(lines, lines + limit))
    mount = f"{folder}/items.yaml:/srv/openapi/items.yaml:ro"
    (folder / "limited.yml").write_text(json.dumps({"services": {"web": {"volumes": [mount]}}}))
    return folder / "limited.yml"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """One stack for all tests here. Each test leaves it running with one instance."""
    added = limited(tmp_path_factory.mktemp("limited"))
    with composed("--file", str(ROOT / "docker-compose.yml"), "--file", str(added)) as running:
        yield running


@dataclass
class Clients:
    """Clients that send requests continuously, each on a new connection, and repeat idempotent ones that fail."""

    port: int
    responses: Counter[tuple[str, int]] = field(default_factory=Counter)
    created: set[int] = field(default_factory=set)
    done: threading.Event = field(default_factory=threading.Event)

    def send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send a request; repeat it once if it is idempotent and fails. Record the statuses."""
        status, content = 0, b""
        for _ in range(2 if method in REPEATABLE else 1):
            try:
                response = ask(self.port, method, path, body, JSON)
                status, content = response.status, response.body
            except (OSError, http.client.HTTPException):
                status, content = 0, b""
            self.responses[method, status] += 1
            if 0 < status < 500:
                break
        return status, content

    def use(self) -> None:
        """Create, replace, read and delete items until the end. Every idempotent request succeeds."""
        while not self.done.is_set():
            status, content = self.send("POST", "/items", b'{"name": "Lamp"}')
            if status != 201:
                continue
            item = json.loads(content)["id"]
            self.created.add(item)
            assert self.send("PUT", f"/items/{item}", b'{"name": "Desk lamp"}')[0] == 200
            assert self.send("GET", f"/items/{item}")[0] == 200
            if item % 2:
                assert self.send("DELETE", f"/items/{item}")[0] in (204, 404)  # 404 if the first was done
                self.created.remove(item)

    def more(self, number: int = 40) -> None:
        """Wait for this number of further responses."""
        goal = self.responses.total() + number
        wait_until(lambda: self.responses.total() >= goal, f"{number} more responses", 60)

    def failed(self, method: str) -> int:
        """Return the number of requests that failed, whether they were repeated or not."""
        return sum(n for (name, status), n in self.responses.items() if name == method and not 0 < status < 500)


@contextmanager
def using(port: int) -> Iterator[Clients]:
    """Use the service from four clients at a time."""
    clients = Clients(port)
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(clients.use) for _ in range(4)]
        try:
            clients.more()
            yield clients
            clients.more()
        finally:
            clients.done.set()
        for client in running:
            client.result()


def assert_unnoticed(clients: Clients, what: str, show: Show) -> None:
    """Assert that no read failed and that all items are there, and print the numbers.

    A write can fail if the service closes an idle connection while nginx sends it, which is rare: nginx must not repeat
    it.
    """
    counted = {method: clients.failed(method) for method in ("GET", "PUT", "DELETE", "POST")}
    text = f"{what}: {clients.responses.total()} requests, failed: {counted}"
    VAR.mkdir(parents=True, exist_ok=True)
    with (VAR / "rolling.txt").open("a") as report:
        report.write(text + "\n")
    show(text)
    assert counted["GET"] == 0
    assert sum(counted.values()) <= clients.responses.total() / 50
    assert {ask(clients.port, "GET", f"/items/{item}").status for item in clients.created} == {200}


def restart(stack: Composed) -> None:
    """Restart the container of the service."""
    stack.compose("restart", "web")


def replace(stack: Composed) -> None:
    """Replace the container of the service."""
    stack.compose("up", "--detach", "--force-recreate", "web")


def change(stack: Composed) -> None:
    """Change a setting of the service, as in every new version, and back."""
    Composed(stack.project, stack.port, stack.options, {"WEB_CONCURRENCY": "1"}).up()
    stack.compose("up", "--detach")


@pytest.mark.parametrize("disturb", [restart, replace, change])
def test_a_restart_of_the_service_is_not_noticed(
    stack: Composed, disturb: Callable[[Composed], None], show: Show
) -> None:
    """Nginx goes on, and requests wait until the service is back: the same container, or a new one."""
    nginx, web = (stack.inspect(name) for name in ("nginx", "web"))
    left = updates_left(update(stack))
    with using(stack.port) as clients:
        for _ in range(2):
            disturb(stack)
            stack.up()
            clients.more()
    assert stack.inspect("nginx")["State"]["StartedAt"] == nginx["State"]["StartedAt"]
    assert stack.inspect("web")["State"]["StartedAt"] != web["State"]["StartedAt"]
    assert_unnoticed(clients, f"twice: {disturb.__name__}", show)
    assert updates_left(update(stack)) == left - 1, "the counts of rate limits are still there"


def servers(stack: Composed) -> str:
    """Return the list of servers that nginx uses."""
    return stack.compose("exec", "--no-TTY", "nginx", "cat", "/tmp/upstream.conf")  # noqa: S108  # in the container


def update(stack: Composed, **headers: str) -> Response:
    """Update an item that does not exist, which counts."""
    sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(stack.port, "PATCH", "/items/7000000000000007", b"{}", sent)


def updates_left(response: Response) -> int:
    """Return how many more updates the limit allows."""
    found = re.match(r'"update_item";r=(\d+);', response["RateLimit"])
    assert found
    return int(found[1])


def used(stack: Composed, number: int, prefix: str) -> tuple[Counter[str], Counter[int]]:
    """Send this number of updates, and return how many each instance got, and their statuses."""
    statuses = Counter(update(stack, X_Request_Id=f"{prefix}-{each}").status for each in range(number))
    wait_until(lambda: sum(prefix in line for line in stack.logs("nginx")) == number, "all requests in the log")
    return Counter(json.loads(line)["upstream"] for line in stack.logs("nginx") if prefix in line), statuses


def test_nginx_uses_a_second_instance_without_a_restart(stack: Composed, show: Show) -> None:
    """`--scale web=2` on a running stack is used at once, and `--scale web=1` as well; clients notice neither.

    Both instances together allow what one does.
    """
    nginx = stack.inspect("nginx")["State"]["StartedAt"]
    with using(stack.port) as clients:
        stack.up("--no-recreate", "--scale", "web=2")
        wait_until(lambda: servers(stack).count(" backup ") == 2, "two servers")
    assert_unnoticed(clients, "a second instance", show)
    left = updates_left(update(stack))
    both, statuses = used(stack, UPDATES + 10, "two-instances")
    assert set(both) == {"unix:/run/web/1.sock", "unix:/run/web/2.sock"}
    assert min(both.values()) >= 10
    assert statuses == {404: left, 429: UPDATES + 10 - left}
    with using(stack.port) as clients:
        stack.up("--no-recreate", "--scale", "web=1")
        wait_until(lambda: servers(stack).count(" backup ") == 1, "one server")
    assert_unnoticed(clients, "one instance again", show)
    one, statuses = used(stack, 20, "one-instance")
    assert (len(one), statuses) == (1, {429: 20})
    assert stack.inspect("nginx")["State"]["StartedAt"] == nginx


def test_the_images_are_small(stack: Composed) -> None:
    """The service adds at most 95 MB to Python's image (14 are cryptography), and nginx 40 MB to Debian's."""
    added = {}
    for name, base in (("web", "python:3.13-slim-bookworm"), ("nginx", "debian:bookworm-slim")):
        sizes = stack.run(["docker", "history", "--human=false", "--format", "{{.Size}}", f"{stack.project}-{name}"])
        below = stack.run(["docker", "history", "--human=false", "--format", "{{.Size}}", base], check=False)
        own = sizes.split()[: len(sizes.split()) - len(below.split())] if below else []
        assert own or pytest.skip(f"{base} is not in the local image store")
        added[name] = sum(map(int, own)) / 1e6
    print(f"\nMB added to the base image: {added}")
    assert added["web"] <= 95
    assert added["nginx"] <= 40


@pytest.fixture(scope="module")
def on_postgresql() -> Iterator[Composed]:
    """The stack of `docker compose --profile postgres up --build`."""
    with composed("--profile", "postgres") as running:
        yield running


def sql(stack: Composed, statement: str) -> str:
    """Run a statement in PostgreSQL's container."""
    return stack.compose("exec", "--no-TTY", "postgres", "psql", "-At", "-c", statement, "items").strip()


def test_one_command_runs_the_service_on_postgresql(on_postgresql: Composed) -> None:
    """Items are in PostgreSQL, and stay there when the containers are replaced, in any order of starts."""
    created = post(on_postgresql.port, {"name": "Desk lamp"})
    assert created.status == 201
    assert sql(on_postgresql, "SELECT name FROM items") == "Desk lamp"
    assert sql(on_postgresql, "SELECT version_num FROM alembic_version") == revisions.newest()
    migrated = on_postgresql.inspect("migrate")
    assert (migrated["State"]["ExitCode"], migrated["HostConfig"]["ReadonlyRootfs"]) == (0, True)
    on_postgresql.compose("down")
    on_postgresql.compose("up", "--detach", "--no-deps", "web")
    on_postgresql.up()
    assert ask(on_postgresql.port, "GET", created["Location"]).body == created.body
    on_postgresql.compose("stop")
    states = [on_postgresql.inspect(name)["State"]["ExitCode"] for name in ("nginx", "web", "postgres")]
    assert states == [0, 0, 0]
    on_postgresql.up()


def test_postgresql_has_no_more_rights_than_it_needs(on_postgresql: Composed) -> None:
    """It has no root, no capabilities, no network, and a read-only root file system."""
    found = on_postgresql.inspect("postgres")
    host = found["HostConfig"]
    assert (found["State"]["Health"]["Status"], found["Config"]["User"]) == ("healthy", "10003:10003")
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["NetworkMode"]) == (True, ["ALL"], "none")
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    script = "for d in / /etc /usr /var /home; do ! touch $d/x 2>/dev/null || echo $d; done"
    assert on_postgresql.compose("exec", "--no-TTY", "postgres", "sh", "-c", script) == ""


def test_postgresql_admits_only_the_user_of_the_service(on_postgresql: Composed) -> None:
    """There is no password to steal: another user is refused, even on the same socket."""
    connect = (
        "import psycopg; "
        "print(psycopg.connect('postgresql://items@/items?host=/run/postgresql').execute('SELECT 1').fetchone())"
    )
    exec_ = ("exec", "--no-TTY", "--user")
    assert on_postgresql.compose(*exec_, "10001", "web", "python", "-c", connect) == "(1,)\n"
    assert on_postgresql.compose(*exec_, "10002", "web", "python", "-c", connect, check=False) == ""


def test_a_stack_that_has_used_postgresql_does_not_start_without_it(on_postgresql: Composed) -> None:
    """It would show an empty SQLite database instead. The log says what to do."""
    on_postgresql.compose("stop")
    plain = Composed(on_postgresql.project, on_postgresql.port)
    plain.compose("up", "--detach", "--no-deps", "web")
    says = "Start it with --profile postgres, or set DATABASE_URL=sqlite:////data/items.db."
    wait_until(lambda: any(says in line for line in plain.logs("web")), "the advice in the log")
    on_postgresql.up()


def test_the_database_url_is_passed_on(on_postgresql: Composed) -> None:
    """A database of the user's own has priority, and the service then has a way to it."""
    own = {"DATABASE_URL": "sqlite:////data/other.db"}
    stack = Composed(on_postgresql.project, on_postgresql.port, on_postgresql.options, own)
    stack.up()
    assert ask(stack.port, "GET", "/items").json() == []
    assert list(stack.inspect("web")["NetworkSettings"]["Networks"]) == [f"{stack.project}_inner-and-outer"]
    on_postgresql.up()
    assert ask(on_postgresql.port, "GET", "/items").json() != []

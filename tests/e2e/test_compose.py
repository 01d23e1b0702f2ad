"""The containers of docker-compose.yml, built and run by Docker, used through the published port."""

import gzip
import http.client
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from app.pages import UI_NAMES
from app.problem_pages import problem_types
from tests.docs.markdown import blocks, read
from tests.e2e.stack import ROOT, VAR, Composed, Response, Show, ask, composed, post, send, wait_until

JSON = {"Content-Type": "application/json"}
SERVICES = ("web", "nginx")
UI = ["/ui/", *(f"/ui/{name}" for name in UI_NAMES)]


@dataclass(frozen=True)
class Fresh:
    """The stack, and the response to `GET /items` before anything was written."""

    stack: Composed
    first: Response


@pytest.fixture(scope="module")
def fresh() -> Iterator[Fresh]:
    """One stack for all tests here, because building it is slow. Each test leaves it running and healthy."""
    with composed() as stack:
        yield Fresh(stack, ask(stack.port, "GET", "/items"))


@pytest.fixture
def stack(fresh: Fresh) -> Composed:
    """The running stack."""
    return fresh.stack


def assert_problem(response: Response, status: int, title: str, detail: str) -> None:
    """Assert that the response is this problem, with the headers of every response."""
    assert (response.status, response["Content-Type"]) == (status, "application/problem+json")
    assert response.json() == {"type": problem_types()[status], "title": title, "status": status, "detail": detail}
    assert response["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert re.fullmatch("[0-9a-f]{32}", response["X-Request-Id"])


def test_a_new_stack_has_no_items(fresh: Fresh) -> None:
    """The first response of `GET /items` is `[]`."""
    assert (fresh.first.status, fresh.first.json()) == (200, [])


def test_items_work_through_the_published_port(stack: Composed) -> None:
    """An item is created, read, listed, replaced, updated and deleted."""
    created = post(stack.port, {"name": "Desk lamp"})
    assert (created.status, created.json()["name"]) == (201, "Desk lamp")
    path = created["Location"]
    got = ask(stack.port, "GET", path)
    assert (got.status, got.body, got["ETag"]) == (200, created.body, created["ETag"])
    assert created.json() in ask(stack.port, "GET", "/items?sort=-id").json()
    replaced = ask(stack.port, "PUT", path, b'{"name": "Lamp"}', {**JSON, "If-Match": got["ETag"]})
    assert (replaced.status, replaced.json()["name"]) == (200, "Lamp")
    late = ask(stack.port, "PATCH", path, b"{}", {**JSON, "If-Match": got["ETag"]})
    assert late.status == 412
    updated = ask(
        stack.port, "PATCH", path, b'{"description": "Brass"}', {"Content-Type": "application/merge-patch+json"}
    )
    assert (updated.status, updated.json()["description"]) == (200, "Brass")
    assert ask(stack.port, "DELETE", path, headers={"If-Match": updated["ETag"]}).status == 204
    assert [ask(stack.port, method, path).status for method in ("DELETE", "GET")] == [404, 404]


@pytest.mark.parametrize("how", ["with its length", "expecting 100 Continue", "in chunks"])
def test_nginx_rejects_a_body_of_100_kib(stack: Composed, how: str) -> None:
    """The response is a 413 problem, with and without Content-Length."""
    body = b" " * 102400
    expecting = {**JSON, "Expect": "100-continue"} if how.startswith("expecting") else JSON
    sent = (body[at : at + 4096] for at in range(0, len(body), 4096)) if how == "in chunks" else body
    response = ask(stack.port, "POST", "/items", sent, expecting)
    assert_problem(response, 413, "Content Too Large", "The body may have at most 65536 bytes.")


def _log(stack: Composed) -> list[dict[str, Any]]:
    """Return the log of both containers, as the documented command shows it."""
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    (documented,) = (block.strip() for block in blocks(read("docs/logs.md"), "sh") if " -f " in block)
    command = documented.replace("docker compose", f"docker compose --project-name {stack.project}").replace(
        " -f ", " "
    )
    least = sum(len(stack.logs(name)) for name in SERVICES)
    printed = subprocess.run(["bash", "-c", f"{command} -c"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert printed.stderr == ""
    lines = printed.stdout.splitlines()
    assert len(lines) >= least
    return [json.loads(line) for line in lines]


def test_both_logs_have_the_request_id(stack: Composed) -> None:
    """A request has a line of nginx and a line of the service, with the same names and the same values."""
    given = {"X-Request-Id": "both-logs-1", "User-Agent": "test"}
    response = ask(stack.port, "GET", "/items?limit=1", headers=given)
    assert response.all("X-Request-Id") == ["both-logs-1"]
    wait_until(lambda: all("both-logs-1" in "\n".join(stack.logs(name)) for name in SERVICES), "the id in both logs")
    service, nginx = sorted((line for line in _log(stack) if line["request_id"] == "both-logs-1"), key=len)
    assert (service.pop("logger"), nginx.pop("logger")) == ("access", "nginx.access")
    for line in (service, nginx):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("time"))
        assert line.pop("duration") >= 0
    assert nginx | service == nginx
    assert service == {
        "level": "info",
        "request_id": "both-logs-1",
        "client": nginx["client"],
        "method": "GET",
        "path": "/items?limit=1",
        "status": 200,
        "bytes": len(response.body),
    }
    assert (nginx["user_agent"], nginx["upstream_status"]) == ("test", "200")


def test_every_line_of_both_containers_is_json(stack: Composed) -> None:
    """From their start on, events and requests have the same names. The log has no health checks of nginx."""
    send(stack.port, b'GET /items?\xff\x1b[31m"\\ HTTP/1.1\r\nHost: a\r\n\r\n')
    lines = _log(stack)
    assert {line["logger"] for line in lines} >= {"server", "worker", "access", "nginx.access"}
    for line in lines:
        assert line.keys() >= {"time", "level", "logger", "request_id"}
        assert line.keys() >= ({"status", "path"} if line["logger"].endswith("access") else {"message"})
    assert not [line for line in lines if line.get("user_agent") == "healthcheck"]


@pytest.mark.parametrize("name", SERVICES)
def test_the_containers_have_no_more_rights_than_they_need(stack: Composed, name: str) -> None:
    """They have no root, no capabilities, and write only to the volume and /tmp; they restart, and logs are limited."""
    found = stack.inspect(name)
    host = found["HostConfig"]
    assert found["State"]["Health"]["Status"] == "healthy"
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", found["Config"]["User"])
    assert (host["ReadonlyRootfs"], host["Privileged"], host["Init"]) == (True, False, True)
    assert (host["CapDrop"], host["CapAdd"], host["SecurityOpt"]) == (["ALL"], None, ["no-new-privileges:true"])
    assert list(host["Tmpfs"]) == ["/tmp"]  # noqa: S108  # a mount point in the container
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    status = stack.compose("exec", "--no-TTY", name, "cat", "/proc/self/status")
    rights = dict(re.findall(r"(Cap(?:Eff|Prm|Bnd)|NoNewPrivs):\s+(\w+)", status))
    assert rights == {"CapEff": "0" * 16, "CapPrm": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1"}


@pytest.mark.parametrize("name", SERVICES)
def test_the_root_file_system_is_read_only(stack: Composed, name: str) -> None:
    """Neither code nor configuration can be changed."""
    script = (
        "for d in / /srv /etc /etc/nginx /usr /var /home; do [ ! -d $d ] || ! touch $d/x 2>/dev/null || echo $d; done"
    )
    assert stack.compose("exec", "--no-TTY", name, "sh", "-c", script) == ""


def test_only_nginx_is_published(stack: Composed) -> None:
    """The service is reachable only through a socket that it shares with nginx, and cannot reach the internet."""
    assert [bool(stack.inspect(name)["HostConfig"]["PortBindings"]) for name in SERVICES] == [False, True]
    networks = [set(stack.inspect(name)["NetworkSettings"]["Networks"]) for name in SERVICES]
    assert networks == [{f"{stack.project}_inner"}, {f"{stack.project}_outer"}]
    code = "import socket; socket.setdefaulttimeout(5); print(socket.socket().connect_ex(('192.0.2.1', 80)))"
    assert int(stack.python(code)) != 0


def test_the_metrics_are_in_the_inner_network(stack: Composed) -> None:
    """They are not published. The container's own IP address is the one that others in the network use."""
    code = (
        "import socket, urllib.request; ip = socket.gethostbyname(socket.gethostname()); "
        "print(urllib.request.urlopen(f'http://{ip}:9000/metrics').read().decode())"
    )
    assert "\nworkers 2.0\n" in stack.python(code)
    assert ask(stack.port, "GET", "/metrics").status == 404


def test_the_images_contain_only_what_they_need(stack: Composed) -> None:
    """`web` has no tests, no pip and only the documents that it serves, and its code is compiled."""
    code = (
        "import importlib.util, pathlib, sys; print(sorted(p.name for p in pathlib.Path('/srv').iterdir()), "
        "importlib.util.find_spec('pytest'), len(list(pathlib.Path('/srv').rglob('*.pyc'))) > 0, "
        "pathlib.Path('/venv/bin/pip').exists())"
    )
    folders = ["app", "contract", "db", "docs", "gunicorn.conf.py", "handlers", "openapi"]
    assert stack.python(code).strip() == f"{folders} None True False"


def test_nginx_responds_with_502_while_the_service_is_stopped(stack: Composed) -> None:
    """It waits for 13 seconds before. The problem has Retry-After, and the service works again after its start.

    The documentation page and its files still load, compressed.
    """
    before = [ask(stack.port, "GET", path) for path in UI]
    stack.compose("stop", "web")
    try:
        assert stack.inspect("web")["State"]["ExitCode"] == 0
        response = ask(stack.port, "GET", "/items")
        plain = [ask(stack.port, "GET", path) for path in UI]
        packed = [ask(stack.port, "GET", path, headers={"Accept-Encoding": "gzip"}) for path in UI]
    finally:
        stack.compose("start", "web")
    detail = "The service did not respond. Try again in a moment."
    assert_problem(response, 502, "Bad Gateway", detail)
    assert response["Retry-After"] == "1"
    assert [(one.status, one.body, one["ETag"]) for one in plain] == [(200, one.body, one["ETag"]) for one in before]
    assert [gzip.decompress(one.body) for one in packed if one["Content-Encoding"]] == [one.body for one in plain]
    wait_until(lambda: ask(stack.port, "GET", "/readyz").status == 200, "the service back behind nginx")


def test_items_survive_down_and_up(stack: Composed) -> None:
    """The volume keeps every item, and both services stop in time."""
    kept = post(stack.port, {"name": "Kept"})
    stack.compose("stop")
    assert [stack.inspect(name)["State"]["ExitCode"] for name in SERVICES] == [0, 0]
    stack.compose("down")
    stack.up()
    response = ask(stack.port, "GET", kept["Location"])
    assert (response.status, response.body, response["ETag"]) == (200, kept.body, kept["ETag"])


def test_nginx_finds_a_new_container_of_the_service(stack: Composed) -> None:
    """After a rebuild, nginx uses the new container."""
    before = stack.inspect("web")["Id"]
    stack.up("--force-recreate", "web")
    assert stack.inspect("web")["Id"] != before
    wait_until(lambda: ask(stack.port, "GET", "/readyz").status == 200, "the new container behind nginx")


def _run(stack: Composed, block: str, folder: Path) -> None:
    """Run commands of docs/backup.md in a folder, for this stack."""
    compose = f"docker compose --file {ROOT}/docker-compose.yml --project-name {stack.project}"
    script = block.replace("docker compose", compose).replace("exec web", "exec --no-TTY web")
    done = subprocess.run(
        ["bash", "-euxc", script],
        cwd=folder,
        env={**os.environ, "HTTP_PORT": str(stack.port)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_a_backup_is_restored(stack: Composed, tmp_path: Path) -> None:
    """With the commands of docs/backup.md, on read-only root file systems."""
    backup, restore = [block for block in blocks(read("docs/backup.md"), "sh") if "docker compose" in block]
    kept = post(stack.port, {"name": "In the backup: Größe 3"})
    _run(stack, backup, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["backup.db"]
    lost = post(stack.port, {"name": "After the backup"})
    _run(stack, restore, tmp_path)
    wait_until(lambda: ask(stack.port, "GET", "/readyz").status == 200, "the service back behind nginx")
    assert ask(stack.port, "GET", kept["Location"]).body == kept.body
    assert ask(stack.port, "GET", lost["Location"]).status == 404
    assert post(stack.port, {"name": "New"}).status == 201


@dataclass
class Writers:
    """Clients that write continuously and record the responses."""

    port: int
    acknowledged: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)
    numbers: Iterator[int] = field(default_factory=count)

    def write(self) -> None:
        """POST until stopped. Only a 201 counts as an acknowledged write."""
        while not self.done.is_set():
            name = f"Written {next(self.numbers)}"
            try:
                response = post(self.port, {"name": name})
            except (OSError, http.client.HTTPException) as error:
                self._refuse(type(error).__name__)
                continue
            if response.status == 201:
                self.acknowledged[name] = response.json()["id"]
            else:
                self._refuse(str(response.status))

    def _refuse(self, why: str) -> None:
        self.refused[why] = self.refused.get(why, 0) + 1
        time.sleep(0.01)  # like a real client, wait before the next attempt

    def more(self, number: int) -> None:
        """Wait for this number of further acknowledged writes."""
        goal = len(self.acknowledged) + number
        wait_until(lambda: len(self.acknowledged) >= goal, f"{number} more acknowledged writes", 60)


def all_items(port: int) -> dict[str, int]:
    """Return the ids of all items by name, following the Link headers."""
    items: dict[str, int] = {}
    path: str | None = "/items?limit=100"
    while path:
        page = ask(port, "GET", path)
        assert page.status == 200
        items |= {item["name"]: item["id"] for item in page.json()}
        path = next(iter(re.findall(r'<([^>]+)>; rel="next"', page["Link"])), None)
    return items


def under_writes(stack: Composed, disturb: Callable[[], Any], times: int) -> Writers:
    """Disturb the service repeatedly while four clients write, and wait each time until it works again."""
    writers = Writers(stack.port)
    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(writers.write) for _ in range(4)]
        try:
            for _ in range(times):
                writers.more(50)
                disturb()
            writers.more(50)
        finally:
            writers.done.set()
        for client in clients:
            client.result()
    return writers


def assert_none_lost(writers: Writers, what: str, show: Show) -> None:
    """Assert that every acknowledged write exists with its id, and print the numbers."""
    present = all_items(writers.port)
    lost = {name for name, number in writers.acknowledged.items() if present.get(name) != number}
    sent = len(writers.acknowledged) + sum(writers.refused.values())
    text = f"{what}: {sent} POSTs sent, {len(writers.acknowledged)} stored, {writers.refused} refused, {len(lost)} lost"
    VAR.mkdir(parents=True, exist_ok=True)
    with (VAR / "writes.txt").open("a") as report:
        report.write(text + "\n")
    show(text)
    assert not lost


PROCESSES = """
import os, pathlib, signal
parents = {}
for folder in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except FileNotFoundError:
        pass  # ended meanwhile
(master,) = (pid for pid, parent in parents.items() if parent == 1 and pid != os.getpid())
workers = [pid for pid, parent in parents.items() if parent == master]
"""


def test_killing_the_workers_loses_no_acknowledged_write(stack: Composed, show: Show) -> None:
    """All Gunicorn workers get `kill -9` at once, three times."""
    killed: list[int] = []

    def kill_workers() -> None:
        code = PROCESSES + "for pid in workers: os.kill(pid, signal.SIGKILL)\nprint(len(workers))"
        killed.append(int(stack.python(code)))

    writers = under_writes(stack, kill_workers, 3)
    assert all(killed)
    assert_none_lost(writers, f"{sum(killed)} workers killed", show)


def test_killing_the_service_loses_no_acknowledged_write(stack: Composed, show: Show) -> None:
    """Gunicorn's main process gets `kill -9` twice; the container ends, and Docker restarts it."""
    restarts = stack.inspect("web")["RestartCount"]

    def kill_service() -> None:
        stack.compose(
            "exec", "--no-TTY", "web", "python", "-c", PROCESSES + "os.kill(master, signal.SIGKILL)", check=False
        )

    writers = under_writes(stack, kill_service, 2)
    assert stack.inspect("web")["RestartCount"] == restarts + 2
    assert_none_lost(writers, "the service killed twice", show)


def test_killing_the_container_loses_no_acknowledged_write(stack: Composed, show: Show) -> None:
    """`docker kill` and `up` run twice."""

    def kill_container() -> None:
        stack.compose("kill", "--signal", "SIGKILL", "web")
        assert stack.inspect("web")["State"]["ExitCode"] == 137
        stack.up()

    writers = under_writes(stack, kill_container, 2)
    assert_none_lost(writers, "the container killed twice", show)

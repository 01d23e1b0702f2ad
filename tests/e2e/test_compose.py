"""The containers: docker-compose.yml, built and started by a real Docker engine, used through the published port."""

import gzip
import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from app.pages import UI_FILES
from tests.e2e.stack import VAR, Answer, Composed, ask, composed, post, wait_until

JSON = {"Content-Type": "application/json"}
SERVICES = ("web", "nginx")
UI = ["/ui/", *(f"/ui/{name}" for name in UI_FILES)]


@dataclass(frozen=True)
class Fresh:
    """The stack, and what `GET /items` answered before anything was written."""

    stack: Composed
    first: Answer


@pytest.fixture(scope="module")
def fresh() -> Iterator[Fresh]:
    """One stack for all tests here: it takes a while to build. Each test leaves it running and healthy."""
    with composed() as stack:
        yield Fresh(stack, ask(stack.port, "GET", "/items"))


@pytest.fixture
def stack(fresh: Fresh) -> Composed:
    """The running stack."""
    return fresh.stack


def assert_problem(answer: Answer, status: int, title: str, detail: str) -> None:
    """The answer is this problem, with what all answers carry."""
    assert (answer.status, answer["Content-Type"]) == (status, "application/problem+json")
    assert answer.json() == {"type": "about:blank", "title": title, "status": status, "detail": detail}
    assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert re.fullmatch("[0-9a-f]{32}", answer["X-Request-Id"])


def test_a_new_stack_has_no_items(fresh: Fresh) -> None:
    """The first thing anybody sees: `[]`."""
    assert (fresh.first.status, fresh.first.json()) == (200, [])


def test_an_item_lives_and_dies_through_the_published_port(stack: Composed) -> None:
    """Created, read, listed, replaced, updated, deleted."""
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
def test_a_body_of_100_kib_is_refused_by_nginx(stack: Composed, how: str) -> None:
    """413 as a problem, however the body is sent."""
    body = b" " * 102400
    expecting = {**JSON, "Expect": "100-continue"} if how.startswith("expecting") else JSON
    sent = (body[at : at + 4096] for at in range(0, len(body), 4096)) if how == "in chunks" else body
    answer = ask(stack.port, "POST", "/items", sent, expecting)
    assert_problem(answer, 413, "Content Too Large", "The body may have at most 65536 bytes.")


def test_both_logs_have_the_request_id(stack: Composed) -> None:
    """What the client sends is in the answer, in the JSON of nginx and in the log of the service."""
    answer = ask(stack.port, "GET", "/items?limit=1", headers={"X-Request-Id": "both-logs-1", "User-Agent": "test"})
    assert answer.all("X-Request-Id") == ["both-logs-1"]
    wait_until(lambda: all("both-logs-1" in "\n".join(stack.logs(name)) for name in SERVICES), "the id in both logs")
    (line,) = (json.loads(line) for line in stack.logs("nginx") if "both-logs-1" in line)
    assert (line["method"], line["uri"], line["status"], line["user_agent"]) == ("GET", "/items?limit=1", 200, "test")
    assert line["upstream"].endswith(":8000")


def test_nginx_writes_nothing_but_json_lines_and_its_errors(stack: Composed) -> None:
    """Every line is one or the other, and no health check is among them."""
    lines = stack.logs("nginx")
    requests = [json.loads(line) for line in lines if line.startswith("{")]
    others = [line for line in lines if not line.startswith("{")]
    assert requests
    assert not [request for request in requests if request["user_agent"] == "healthcheck"]
    assert not [line for line in others if not re.match(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(warn|error)\] ", line)]


@pytest.mark.parametrize("name", SERVICES)
def test_the_containers_have_no_more_rights_than_they_need(stack: Composed, name: str) -> None:
    """No root, no capability, nothing to write to but the volume and /tmp; restarted, logged within bounds."""
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
def test_the_root_file_system_cannot_be_written(stack: Composed, name: str) -> None:
    """Not the code, not the configuration, nowhere."""
    script = (
        "for d in / /srv /etc /etc/nginx /usr /var /home; do [ ! -d $d ] || ! touch $d/x 2>/dev/null || echo $d; done"
    )
    assert stack.compose("exec", "--no-TTY", name, "sh", "-c", script) == ""


def test_only_nginx_is_published(stack: Composed) -> None:
    """The service itself can be reached through nginx only, and cannot reach the internet."""
    assert [bool(stack.inspect(name)["HostConfig"]["PortBindings"]) for name in SERVICES] == [False, True]
    assert len(stack.inspect("web")["NetworkSettings"]["Networks"]) == 1
    code = "import socket; socket.setdefaulttimeout(5); print(socket.socket().connect_ex(('192.0.2.1', 80)))"
    assert int(stack.python(code)) != 0


def test_the_images_have_what_they_need_and_no_more(stack: Composed) -> None:
    """No tests, no pip, no documents in `web`; the code is compiled."""
    code = (
        "import importlib.util, pathlib, sys; print(sorted(p.name for p in pathlib.Path('/srv').iterdir()), "
        "importlib.util.find_spec('pytest'), len(list(pathlib.Path('/srv').rglob('*.pyc'))) > 0, "
        "pathlib.Path('/venv/bin/pip').exists())"
    )
    folders = ["app", "contract", "db", "gunicorn.conf.py", "handlers", "openapi"]
    assert stack.python(code).strip() == f"{folders} None True False"


def test_while_the_service_is_stopped_nginx_answers_502(stack: Composed) -> None:
    """As a problem that says when to come back; and the service is back as soon as it is started.

    The page of the documentation and all it loads are still there, compressed, as they were before.
    """
    before = [ask(stack.port, "GET", path) for path in UI]
    stack.compose("stop", "web")
    try:
        assert stack.inspect("web")["State"]["ExitCode"] == 0
        answer = ask(stack.port, "GET", "/items")
        plain = [ask(stack.port, "GET", path) for path in UI]
        packed = [ask(stack.port, "GET", path, headers={"Accept-Encoding": "gzip"}) for path in UI]
    finally:
        stack.compose("start", "web")
    detail = "The service did not respond. Try again in a moment."
    assert_problem(answer, 502, "Bad Gateway", detail)
    assert answer["Retry-After"] == "1"
    assert [(one.status, one.body, one["ETag"]) for one in plain] == [(200, one.body, one["ETag"]) for one in before]
    assert [gzip.decompress(one.body) for one in packed if one["Content-Encoding"]] == [one.body for one in plain]
    wait_until(lambda: ask(stack.port, "GET", "/readyz").status == 200, "the service back behind nginx")


def test_items_outlive_their_containers(stack: Composed) -> None:
    """`down` and `up`: the volume stays, and with it every item. Both services end by themselves, in time."""
    kept = post(stack.port, {"name": "Kept"})
    stack.compose("stop")
    assert [stack.inspect(name)["State"]["ExitCode"] for name in SERVICES] == [0, 0]
    stack.compose("down")
    stack.compose("up", "--detach", "--wait", "--wait-timeout", "120")
    answer = ask(stack.port, "GET", kept["Location"])
    assert (answer.status, answer.body, answer["ETag"]) == (200, kept.body, kept["ETag"])


def test_a_new_container_of_the_service_is_found(stack: Composed) -> None:
    """As after a new build: nginx follows the service to wherever it is now."""
    before = stack.inspect("web")["Id"]
    stack.compose("up", "--detach", "--wait", "--wait-timeout", "120", "--force-recreate", "web")
    assert stack.inspect("web")["Id"] != before
    wait_until(lambda: ask(stack.port, "GET", "/readyz").status == 200, "the new container behind nginx")


@dataclass
class Writers:
    """Clients that write without a pause, and remember what was answered."""

    port: int
    answered: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)
    numbers: Iterator[int] = field(default_factory=count)

    def write(self) -> None:
        """POST until done; a 201 is an answered write, and whatever else happens is not."""
        while not self.done.is_set():
            name = f"Written {next(self.numbers)}"
            try:
                answer = post(self.port, {"name": name})
            except (OSError, http.client.HTTPException) as error:
                self._refuse(type(error).__name__)
                continue
            if answer.status == 201:
                self.answered[name] = answer.json()["id"]
            else:
                self._refuse(str(answer.status))

    def _refuse(self, why: str) -> None:
        self.refused[why] = self.refused.get(why, 0) + 1
        time.sleep(0.01)  # as a client would: the service is not there, and asking faster does not help

    def more(self, number: int) -> None:
        """Wait for so many more answered writes."""
        goal = len(self.answered) + number
        wait_until(lambda: len(self.answered) >= goal, f"{number} more writes answered", 60)


def all_items(port: int) -> dict[str, int]:
    """Every item there is, id by name, page by page along the Link headers."""
    items: dict[str, int] = {}
    path: str | None = "/items?limit=100"
    while path:
        page = ask(port, "GET", path)
        assert page.status == 200
        items |= {item["name"]: item["id"] for item in page.json()}
        path = next(iter(re.findall(r'<([^>]+)>; rel="next"', page["Link"])), None)
    return items


def under_writes(stack: Composed, disturb: Callable[[], Any], times: int) -> Writers:
    """Disturb the service so many times while four clients write; wait each time until writes are answered again."""
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


def assert_none_lost(writers: Writers, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every answered write is there, under the id it was answered with; say and keep the numbers."""
    present = all_items(writers.port)
    lost = {name for name, number in writers.answered.items() if present.get(name) != number}
    sent = len(writers.answered) + sum(writers.refused.values())
    text = f"{what}: {sent} POSTs sent, {len(writers.answered)} answered 201, {writers.refused} not, {len(lost)} lost"
    VAR.mkdir(parents=True, exist_ok=True)
    with (VAR / "writes.txt").open("a") as report:
        report.write(text + "\n")
    with capsys.disabled():
        print(f"\n{text}")
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


def test_killing_the_workers_under_writes_loses_no_answered_write(
    stack: Composed, capsys: pytest.CaptureFixture[str]
) -> None:
    """`kill -9` of all Gunicorn workers at once, three times."""
    killed: list[int] = []

    def kill_workers() -> None:
        code = PROCESSES + "for pid in workers: os.kill(pid, signal.SIGKILL)\nprint(len(workers))"
        killed.append(int(stack.python(code)))

    writers = under_writes(stack, kill_workers, 3)
    assert all(killed)
    assert_none_lost(writers, f"{sum(killed)} workers killed", capsys)


def test_killing_the_service_under_writes_loses_no_answered_write(
    stack: Composed, capsys: pytest.CaptureFixture[str]
) -> None:
    """`kill -9` of Gunicorn's main process, and with it of the container, twice: the engine starts it again."""
    restarts = stack.inspect("web")["RestartCount"]

    def kill_service() -> None:
        stack.compose(
            "exec", "--no-TTY", "web", "python", "-c", PROCESSES + "os.kill(master, signal.SIGKILL)", check=False
        )

    writers = under_writes(stack, kill_service, 2)
    assert stack.inspect("web")["RestartCount"] == restarts + 2
    assert_none_lost(writers, "the service killed twice", capsys)


def test_killing_the_container_under_writes_loses_no_answered_write(
    stack: Composed, capsys: pytest.CaptureFixture[str]
) -> None:
    """`docker kill` and `up`, twice."""

    def kill_container() -> None:
        stack.compose("kill", "--signal", "SIGKILL", "web")
        assert stack.inspect("web")["State"]["ExitCode"] == 137
        stack.compose("up", "--detach", "--wait", "--wait-timeout", "120")

    writers = under_writes(stack, kill_container, 2)
    assert_none_lost(writers, "the container killed twice", capsys)

"""The helpers of the generated clients: what they repeat, how they iterate over pages, and that nothing is lost."""

import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.markdown import blocks, read
from tests.e2e.faults import faults
from tests.e2e.stack import ROOT, Show, post, service
from tests.support import operations as contract_operations
from tests.support import specification
from tools.sdk import operations

SDK = ROOT / "sdk"
CLIENTS = ROOT / "tests" / "e2e" / "clients"
TOOLS = ROOT / ".venv-tools" / "bin"
KEY_PARAMETER = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
DECLARED = any(takes for _, _, takes in operations(specification()))

COUNT = int(os.environ.get("SDK_OPERATIONS", "1000"))
"""How many operations go through the proxy that fails; SDK_OPERATIONS=10000 for the full count."""
SEED = int(os.environ.get("SDK_SEED", "1"))

pytestmark = [
    pytest.mark.skipif(not (SDK / "ready").is_file(), reason="the clients have not been generated (make sdk)"),
    pytest.mark.usefixtures("sdk_alone"),
]


@dataclass(frozen=True)
class Clients:
    """The generated clients and the programs that use them, in a folder."""

    folder: Path

    def command(self, program: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """Return the command that runs a program, and its environment."""
        environment = {**os.environ, "no_proxy": "127.0.0.1", "PYTHONPATH": str(self.folder / "sdk" / "python")}
        file = self.folder / "tests" / "e2e" / "clients" / program
        python, node = [str(TOOLS / "python")], [str(TOOLS / "node"), "--disable-warning=ExperimentalWarning"]
        return [*(python if file.suffix == ".py" else node), str(file), *arguments], environment

    def run(self, program: str, *arguments: str) -> Any:
        """Return what a program prints, which is JSON."""
        command, environment = self.command(program, *arguments)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Clients:
    """Clients of a contract in which POST and PATCH of items declare `Idempotency-Key`, and another POST does not."""
    folder = tmp_path_factory.mktemp("keyed")
    for name in ("sdk/python/items_client", "sdk/typescript", "tests/e2e/clients"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    contract = deepcopy(specification())  # all tests share it
    paths = contract["paths"]
    for operation in (paths["/items"]["post"], paths["/items/{item_id}"]["patch"]):
        operation["parameters"] = [*operation.get("parameters", []), KEY_PARAMETER]
    paths["/items/{item_id}/items"] = {"post": {}}
    (folder / "contract.yaml").write_text(yaml.safe_dump(contract))
    targets = (folder / "sdk/python/items_client", folder / "sdk/typescript")
    command = (ROOT / ".venv/bin/python", "-m", "tools.sdk", folder / "contract.yaml", *targets)
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    return Clients(folder)


Outcome = str | Mapping[str, Any]


def _status(status: int, **headers: str) -> Outcome:
    return {"status": status, "headers": {name.replace("_", "-"): value for name, value in headers.items()}}


OK = _status(200)
MATCH = {"If-Match": '"1"'}
OWN_KEY = {"Idempotency-Key": "mine"}
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
LATER = "Sun, 06 Nov 1994 08:49:40 GMT"


@dataclass(frozen=True)
class Scenario:
    """A request, what happens to each attempt, and what the client does: the final outcome and the waits."""

    name: str
    method: str
    outcomes: list[Outcome]
    final: int | str
    waits: list[float]
    key: bool = False
    path: str = "/items/1"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None


ITEM = '{"name": "Desk lamp"}'
SCENARIOS = [
    Scenario("success is final", "GET", [OK], 200, []),
    Scenario("other errors are final", "GET", [_status(500)], 500, []),
    Scenario(
        "each of the statuses is repeated",
        "GET",
        [_status(502), _status(503), _status(504), OK],
        200,
        [0.05, 0.1, 0.15],
    ),
    Scenario("broken connections are repeated", "GET", ["refused", "broken", "half", OK], 200, [0.05, 0.1, 0.15]),
    Scenario("silence is repeated", "GET", ["silence", OK], 200, [0.05]),
    Scenario("silence may have been success", "PUT", ["silence"], "error", [], headers=MATCH, body=ITEM),
    Scenario("a precondition of GET changes nothing", "GET", ["broken", OK], 200, [0.05], headers=MATCH),
    Scenario("the last response is returned", "GET", [_status(503)] * 4, 503, [0.05, 0.1, 0.15]),
    Scenario("the last error is raised", "GET", ["broken"] * 4, "error", [0.05, 0.1, 0.15]),
    Scenario("Retry-After in seconds", "GET", [_status(503, Retry_After="2"), OK], 200, [2.05]),
    Scenario("Retry-After as a date", "GET", [_status(503, Retry_After=LATER, Date=DATE), OK], 200, [3.05]),
    Scenario("Retry-After in the past", "GET", [_status(503, Retry_After=DATE), OK], 200, [0.05]),
    Scenario("an invalid Retry-After", "GET", [_status(503, Retry_After="-1"), OK], 200, [0.05]),
    Scenario("Retry-After beyond the total", "GET", [_status(503, Retry_After="61"), OK], 503, []),
    Scenario(
        "POST with a key", "POST", ["broken", _status(502), OK], 200, [0.05, 0.1], key=True, path="/items", body=ITEM
    ),
    Scenario("a prefix and a query", "POST", ["half", OK], 200, [0.05], key=True, path="/v1/items?a=/b", body=ITEM),
    Scenario("PATCH with a key", "PATCH", ["broken", OK], 200, [0.05], key=True, headers=MATCH, body=ITEM),
    Scenario(
        "the first with this key is running",
        "PATCH",
        [_status(409, Retry_After="1"), OK],
        200,
        [1.05],
        key=True,
        body=ITEM,
    ),
    Scenario("a conflict is final", "PATCH", [_status(409)], 409, [], key=True, body=ITEM),
    Scenario("POST without a key may have been done", "POST", ["broken"], "error", [], path="/items/1/items"),
    Scenario("POST without a key and 503", "POST", [_status(503)], 503, [], path="/items/1/items"),
    Scenario(
        "POST without a key was not done",
        "POST",
        ["refused", _status(429), OK],
        200,
        [0.05, 0.1],
        path="/items/1/items",
    ),
    Scenario("POST with the caller's key", "POST", ["broken", OK], 200, [0.05], path="/items/1/items", headers=OWN_KEY),
    Scenario("PUT", "PUT", ["broken", _status(504), OK], 200, [0.05, 0.1], body=ITEM),
    Scenario("PUT with a precondition may have been done", "PUT", ["broken"], "error", [], headers=MATCH, body=ITEM),
    Scenario("PUT with a precondition and 502", "PUT", [_status(502)], 502, [], headers=MATCH, body=ITEM),
    Scenario("PUT with a precondition was not done", "PUT", ["refused", OK], 200, [0.05], headers=MATCH, body=ITEM),
    Scenario("DELETE", "DELETE", ["broken", _status(204)], 204, [0.05]),
    Scenario("DELETE with a precondition", "DELETE", ["half"], "error", [], headers={"If-None-Match": '"2"'}),
]
PROGRAMS = [("retries.py", "sync"), ("retries.py", "async"), ("retries.mts", "")]


@pytest.mark.parametrize(("program", "mode"), PROGRAMS)
def test_a_request_is_repeated_if_that_is_safe(keyed: Clients, program: str, mode: str) -> None:
    """The clients in both languages do the same: the attempts, the waits, and one key for all attempts."""
    done = keyed.run(program, json.dumps([asdict(scenario) for scenario in SCENARIOS]), mode)
    for scenario, found in zip(SCENARIOS, done, strict=True):
        assert (found["final"], found["waits"]) == (scenario.final, scenario.waits), scenario.name
        keys = set(found["keys"])
        assert len(found["keys"]) == len(scenario.waits) + 1
        assert len(keys) == 1, scenario.name
        assert (keys == {None}) is not (scenario.key or scenario.headers == OWN_KEY), scenario.name
    sent = [key for found in done for key in set(found["keys"]) if key]
    assert len(set(sent)) == len(sent) == sum(scenario.key for scenario in SCENARIOS) + 1, "one key per request"


DEPRECATED = {"Deprecation": "@1793491200"}
SUNSET = DEPRECATED | {"Sunset": "Wed, 30 Jun 2027 10:00:00 GMT"}


@pytest.mark.parametrize(
    ("program", "mode"),
    [
        ("deprecations.py", "sync"),
        ("deprecations.py", "async"),
        ("deprecations.mts", "warn"),
        ("deprecations.mts", "console"),
    ],
)
def test_a_deprecated_operation_is_reported_once(keyed: Clients, program: str, mode: str) -> None:
    """By its responses: an operation is one for all ids, and below every prefix."""
    requests: list[tuple[str, str, Mapping[str, str]]] = [
        ("GET", "/items/1?a=b", SUNSET),
        ("GET", "/items/2", SUNSET),
        ("GET", "/items", {}),
        ("DELETE", "/v1/items/1", DEPRECATED),
        ("DELETE", "/items/1", DEPRECATED),
        ("GET", "/items", DEPRECATED),
    ]
    assert keyed.run(program, json.dumps(requests), mode) == [
        "GET /items/1 is deprecated, and will be removed after Wed, 30 Jun 2027 10:00:00 GMT",
        "DELETE /v1/items/1 is deprecated",
        "GET /items is deprecated",
    ]


def test_no_operation_is_lost_or_doubled_through_a_proxy_that_fails(keyed: Clients, tmp_path: Path, show: Show) -> None:
    """Three clients create, update, replace and delete items, and share three counters. Each operation is done once.

    The proxy drops, delays, repeats and refuses 19 % of the requests. Until the contract declares `Idempotency-Key`,
    the proxy does what the service will do: it replays the first response with the same key.
    """
    clients = Clients(ROOT) if DECLARED else keyed
    with (
        service(tmp_path, ACCESS_LOG="off") as running,
        faults(running.port, SEED, replays=not DECLARED) as (proxy, port),
    ):
        counters = [post(running.port, {"name": f"Counter {number}"}).json()["id"] for number in range(3)]
        arguments = (str(COUNT // 3), ",".join(map(str, counters)))
        commands = [
            clients.command("faults.py", f"http://127.0.0.1:{port}", "sync", *arguments, "sync"),
            clients.command("faults.py", f"http://127.0.0.1:{port}", "async", *arguments, "async"),
            clients.command("faults.mts", f"http://127.0.0.1:{port}", "node", *arguments),
        ]
        done = _together(commands)
    with contextlib.closing(sqlite3.connect(tmp_path / "items.db")) as database:
        stored = database.execute("SELECT id, name, description FROM items").fetchall()
    names = Counter(name for _, name, _ in stored if not name.startswith("Counter "))
    created, deleted = (Counter(name for each in done for name in each[what]) for what in ("created", "deleted"))
    assert names == created - deleted
    increments = Counter(counter for each in done for counter in each["incremented"])
    assert {id_: int(text) for id_, name, text in stored if name.startswith("Counter ")} == increments
    replaced = {name for each in done for name in each["replaced"]} - set(deleted)
    assert {name for _, name, text in stored if text == "replaced"} == replaced
    for each in done:
        mine = set(each["created"]) - set(each["deleted"])
        assert len(each["listed"]) == len(set(each["listed"])), "an item is listed twice"
        assert mine <= set(each["listed"])
    operations_done = sum(len(each[what]) for each in done for what in each if what != "listed")
    replays = "" if DECLARED else "; the contract declares no Idempotency-Key, so the proxy replays the responses"
    show(f"{operations_done} operations, 0 lost, 0 doubled; requests by fault: {dict(proxy.done)}{replays}")


@pytest.mark.parametrize(("language", "program"), [("python", "helpers.py"), ("typescript", "helpers.mts")])
def test_the_program_of_the_page_works(keyed: Clients, tmp_path: Path, language: str, program: str) -> None:
    """It is typed, updates the item, and lists it."""
    (text,) = blocks(read("docs/sdk.md").partition("## Without a checkout")[0], language)
    file = keyed.folder / program
    with service(tmp_path, ACCESS_LOG="off") as running:
        file.write_text(text.replace("http://127.0.0.1:8000", f"http://127.0.0.1:{running.port}"))
        command, environment = keyed.command(f"../../../{program}")
        assert subprocess.check_output(command, env=environment, text=True, timeout=60) == "Desk lamp!\n1 Desk lamp!\n"
    configuration = json.loads((CLIENTS / "tsconfig.json").read_text())
    (keyed.folder / "tsconfig.json").write_text(json.dumps({**configuration, "files": [program]}))
    check: dict[str, list[str | Path]] = {
        "python": [
            ROOT / ".venv/bin/mypy",
            "--config-file=",
            "--strict",
            "--python-executable",
            TOOLS / "python",
            file,
        ],
        "typescript": [TOOLS / "node", ROOT / "node_modules/.bin/tsc", "--project", keyed.folder],
    }
    variables = {**environment, "MYPYPATH": environment["PYTHONPATH"]}
    subprocess.run(check[language], env=variables, check=True, timeout=120)


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_the_helpers_name_no_operation(language: str) -> None:
    """So they work with the resources that `make resource` adds, without a change."""
    names = [str(operation) for operation in contract_operations()]
    code = "".join(re.sub(r'""".*?"""|/\*.*?\*/', "", file.read_text(), flags=re.DOTALL) for file in _helpers(language))
    assert code
    assert [name for name in [*names, "/items", "Item"] if re.search(rf"\b{name}\b", code)] == []


def _helpers(language: str) -> list[Path]:
    return sorted((SDK / "helpers" / language).glob("*.*"))


def test_the_longest_path_decides_whether_an_operation_takes_a_key() -> None:
    """`/items/{item_id}/items` ends like `/items`. A parameter of the path counts for each of its operations."""
    paths: dict[str, Any] = {
        "/items": {"post": {"parameters": [{"$ref": "#/components/parameters/Key"}]}, "get": {}},
        "/items/{item_id}/items": {"post": {}},
        "/v1.0/tags": {"parameters": [KEY_PARAMETER | {"name": "idempotency-key"}], "post": {}, "delete": {}},
    }
    contract = {"paths": paths, "components": {"parameters": {"Key": KEY_PARAMETER}}}
    assert operations(contract) == [
        ("POST", "/items/[^/]+/items$", False),
        ("POST", r"/v1\.0/tags$", True),
        ("DELETE", r"/v1\.0/tags$", True),
        ("GET", "/items$", False),
        ("POST", "/items$", True),
    ]


def _together(commands: list[tuple[list[str], dict[str, str]]]) -> list[dict[str, Any]]:
    """Run the programs at the same time, and return what each prints, which is JSON."""
    programs = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for command, environment in commands
    ]
    printed = [program.communicate(timeout=600) for program in programs]
    assert [program.returncode for program in programs] == [0] * len(programs), printed
    return [json.loads(out) for out, _ in printed]

"""`make postman` makes a collection that newman runs without a failure, and docs/postman.md says how."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs import terminal
from tests.docs.markdown import blocks, examples, read
from tests.e2e.stack import ROOT, Running, ask, post, service
from tests.support import operations
from tools.postman import prepare

ORIGIN = "http://127.0.0.1:8000"
PAGE = read("docs/postman.md")
ANYTHING = re.compile(r"(?<=/items/)\d+|[\d.]+k?B|\d+m?s\b")
"""What differs in every run: ids, sizes and times."""

pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv-tools" / "ready").is_file(), reason="newman is not installed (make .venv-tools/ready)"
)


@pytest.fixture
def used(tmp_path: Path) -> Iterator[Running]:
    """A service that has items already."""
    with service(tmp_path) as running:
        for name in ("Desk lamp", "Chair"):
            assert post(running.port, {"name": name}).status == 201
        yield running


def test_the_commands_of_the_page_make_a_collection_and_run_it(used: Running) -> None:
    """Every operation is requested once, and every test passes; what was there before is still there, and no more."""
    before = ask(used.port, "GET", "/items").json()
    make, make_for_another, *_ = [block.strip() for block in blocks(PAGE, "sh")]
    (newman,) = examples(PAGE)
    commands = [make, make_for_another.replace("localhost", f"127.0.0.1:{used.port}"), newman.command]
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}
    local, there, printed = terminal.run(commands, ROOT, {**environment, "no_proxy": "127.0.0.1"})
    count = len(operations())
    assert local == f"sdk/postman/items.json: {count} requests to {ORIGIN}\n"
    assert there == f"sdk/postman/items.json: {count} requests to http://127.0.0.1:{used.port}\n"
    print(printed)
    if count == newman.shown.count("↳"):  # more resources have more requests
        assert _comparable(printed.replace(f":{used.port}", ":8000")) == _comparable(newman.shown)
    after = ask(used.port, "GET", "/items").json()
    used.process.terminate()
    used.process.wait()  # until all lines are in the log
    requests = re.findall(r" access \[\S+\] \S+ ([A-Z]+) /", used.err.read_text())
    sent = Counter(requests) - Counter({"POST": len(before), "GET": 3})  # those of this test
    assert sent == Counter(operation.method for operation in operations())
    assert after == before


def _comparable(text: str) -> list[str]:
    return [line.rstrip() for line in ANYTHING.sub("…", text).strip().splitlines()]


def test_a_collection_uses_the_ids_of_what_it_creates() -> None:
    """In paths, and in the bodies of what refers to it, which is deleted first."""
    collection: dict[str, Any] = {
        "item": [
            {"name": "items", "item": [_request("DELETE", "items", ":item_id"), _request("POST", "items")]},
            {"name": "tags", "item": [_request("DELETE", "tags", ":tag_id"), _request("POST", "tags", item_id=1)]},
        ]
    }
    prepare(collection, "http://localhost")
    run = [
        (item["request"]["method"], item["request"]["url"]["path"][0], item["request"]["url"]["variable"])
        for folder in collection["item"]
        for item in folder["item"]
    ]
    assert run == [
        ("POST", "items", []),
        ("POST", "tags", []),
        ("DELETE", "tags", [{"key": "tag_id", "value": "{{tag_id}}"}]),
        ("DELETE", "items", [{"key": "item_id", "value": "{{item_id}}"}]),
    ]
    created = collection["item"][1]["item"][0]
    assert created["request"]["body"]["raw"] == '{\n  "item_id": {{item_id}}\n}'
    assert 'pm.collectionVariables.set("tag_id", ' in created["event"][0]["script"]["exec"][-1]


def _request(method: str, *path: str, **body: object) -> dict[str, Any]:
    variables = [{"key": name[1:], "value": "1"} for name in path if name.startswith(":")]
    request = {
        "method": method,
        "url": {"path": [*path], "variable": variables},
        "body": {"mode": "raw", "raw": json.dumps(body)} if method == "POST" else {},
    }
    return {"request": request, "response": [{"code": 201, "header": []}, {"header": []}]}

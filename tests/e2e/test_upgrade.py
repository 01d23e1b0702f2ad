"""From one image to the next under load, by the commands of docs/runbook.md: no request fails. And what is in an image.

The clients repeat a request only if their kept connection was closed at that moment, which is counted.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.docs.markdown import blocks, read
from tests.e2e.stack import ROOT, VAR, Composed, Show, ask, composed
from tests.e2e.upgrading import Load, upgrading

LABELS = "org.opencontainers.image."
INSTANCES = 2
ROLLING, SIMPLE = (block for block in blocks(read("docs/runbook.md"), "sh") if "IMAGE_VERSION=" in block)


@pytest.fixture(scope="module")
def stack() -> Iterator[Composed]:
    """One stack for all tests here, with two instances of the service."""
    with composed() as running:
        running.up("--no-recreate", "--scale", f"web={INSTANCES}")
        yield running


def images(stack: Composed) -> list[tuple[str, str]]:
    """Return the version label and the id of each instance of the service that runs."""
    ids = stack.compose("ps", "--quiet", "web").split()
    found = json.loads(stack.run(["docker", "inspect", *ids]))
    return [(one["Config"]["Labels"][f"{LABELS}version"], one["Id"]) for one in found]


def follow(stack: Composed, block: str, version: str) -> None:
    """Run the commands of a block as they are, with another version and for this stack."""
    assert "IMAGE_VERSION=1.0.1 " in block
    compose = f"docker compose --project-name {stack.project}"
    script = block.replace("docker compose", compose).replace("IMAGE_VERSION=1.0.1 ", f"IMAGE_VERSION={version} ")
    stack.run(["bash", "-euxo", "pipefail", "-c", script])


@contextmanager
def counted(stack: Composed, what: str, show: Show, allowed: float = 0) -> Iterator[Load]:
    """Send requests meanwhile, print how many failed, and assert that it is at most this share of them."""
    with upgrading(stack.port) as load:
        yield load
    counts = f"{load.sent.total()} requests, failed: {dict(load.failed)}, reconnected: {load.reconnected}"
    text = f"{what}: {counts}, sent: {dict(sorted(load.sent.items()))}"
    VAR.mkdir(parents=True, exist_ok=True)
    with (VAR / "upgrade.txt").open("a") as report:
        report.write(text + "\n")
    show(text)
    lines = [line for line in stack.logs("nginx") if '"status":5' in line.replace(" ", "")]
    assert load.failed.total() <= allowed * load.sent.total(), (load.failed, lines[-5:])


def test_a_rolling_upgrade_fails_no_request(stack: Composed, show: Show) -> None:
    """New instances start beside the old ones, which then stop. There and back, so that it runs twice."""
    for version in ("1.1.0-next", "1.1.1-next"):
        before = images(stack)
        with counted(stack, f"rolling upgrade of {INSTANCES} instances to {version}", show) as load:
            follow(stack, ROLLING, version)
            load.more()
        after = images(stack)
        assert [label for label, _ in after] == [version] * INSTANCES
        assert not set(before) & set(after)


def test_requests_wait_while_all_instances_are_replaced(stack: Composed, show: Show) -> None:
    """One may fail: nginx sends a read twice at most, and both instances can stop just then."""
    nginx = stack.inspect("nginx")["State"]["StartedAt"]
    with counted(stack, f"`up` of {INSTANCES} instances", show, 0.005) as load:
        follow(stack, SIMPLE, "1.2.0-next")
        load.more()
    assert {label for label, _ in images(stack)} == {"1.2.0-next"}
    assert stack.inspect("nginx")["State"]["StartedAt"] == nginx


def test_the_images_have_labels(stack: Composed) -> None:
    """Title, description, licences and version always; the rest if the build was given them."""
    labels: dict[str, Any] = stack.inspect("nginx")["Config"]["Labels"]
    (contract,) = (line for line in read("openapi/items.yaml").splitlines() if line.startswith("  version: "))
    assert {name.removeprefix(LABELS): value for name, value in labels.items() if name.startswith(LABELS)} == {
        "title": "Items: nginx",
        "description": "The reverse proxy of the service",
        "licenses": "MIT",
        "version": contract.removeprefix("  version: "),
        "revision": "",
        "created": "1970-01-01T00:00:00Z",
        "source": "",
    }
    given = {"IMAGE_VERSION": "7.0.0", "IMAGE_REVISION": "abc", "IMAGE_SOURCE": "https://example.com/items"}
    created = {"IMAGE_CREATED": "2026-11-28T20:00:00Z"}
    other = Composed(f"{stack.project}-labelled", stack.port, (), {**given, **created})
    try:
        other.compose("build", "nginx", "web")
        for name, title in (("nginx", "Items: nginx"), ("web", "Items")):
            (image,) = json.loads(other.run(["docker", "image", "inspect", f"{other.project}-{name}"]))
            found = {key.removeprefix(LABELS): value for key, value in image["Config"]["Labels"].items()}
            wanted = {"title": title, "version": "7.0.0", "revision": "abc", "created": created["IMAGE_CREATED"]}
            assert found.items() >= wanted.items() | {("source", given["IMAGE_SOURCE"])}
    finally:
        for name in ("nginx", "web"):
            other.run(["docker", "image", "rm", f"{other.project}-{name}"], check=False)


def test_the_image_lists_what_it_is_made_of(stack: Composed) -> None:
    """The list of the repository, and the versions that are installed."""
    listed = json.loads(stack.compose("exec", "--no-TTY", "web", "cat", "/usr/share/sbom/items.cdx.json"))
    assert listed == json.loads((ROOT / "requirements" / "sbom.json").read_text(encoding="utf-8"))
    code = (
        "import json, re; from importlib.metadata import distributions as d; "
        "print(json.dumps({re.sub('[-_.]+', '-', x.name).lower(): x.version for x in d()}))"
    )
    installed = json.loads(stack.python(code))
    versions = {one["purl"].removeprefix("pkg:pypi/").partition("@")[0]: one["version"] for one in listed["components"]}
    optional = {name for name, one in zip(versions, listed["components"], strict=True) if one["scope"] == "optional"}
    assert installed.items() <= versions.items()
    assert versions.keys() - installed.keys() <= optional
    assert ask(stack.port, "GET", "/readyz").status == 200

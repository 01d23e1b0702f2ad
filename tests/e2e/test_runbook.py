"""docs/runbook.md: all its commands work, as they are, in running stacks. tests/e2e/test_upgrade.py upgrades."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.markdown import blocks, read, spans
from tests.e2e.certificates import Authority
from tests.e2e.stack import ROOT, Composed, ask, composed, free_port, post, wait_until

PAGE = read("docs/runbook.md")
UPGRADE = "IMAGE_VERSION="  # tests/e2e/test_upgrade.py runs these
BLOCKS = [block for block in blocks(PAGE, "sh") if UPGRADE not in block]
POSTGRESQL = [block for block in BLOCKS if "postgres" in block]
CERTIFICATE = [block for block in BLOCKS if "openssl" in block or "privkey.pem" in block]
SQLITE = [block for block in BLOCKS if block not in [*POSTGRESQL, *CERTIFICATE]]
LINES = sorted({span for span in spans(PAGE) if span.startswith("docker ") and span != "docker rm --force"})
FILE = ("--file", f"{ROOT}/docker-compose.yml")
MIGRATE = "docker compose run --build --rm migrate"


@pytest.fixture(scope="module")
def stack() -> Iterator[Composed]:
    """The stack of the sections in which it does not matter which database there is, or which are for SQLite."""
    with composed() as running:
        yield running


@pytest.fixture(scope="module")
def on_postgresql() -> Iterator[Composed]:
    """The stack of the profile `postgres`."""
    with composed("--profile", "postgres") as running:
        yield running


def run(stack: Composed, command: str, folder: Path) -> str:
    """Run a command of the page for this stack, without a terminal. Return its output."""
    compose = " ".join(["docker compose", *FILE, *stack.options])
    script = command.replace("docker compose", f"{compose} --project-name {stack.project}")
    script = script.replace(" exec ", " exec --no-TTY ").replace("http://localhost/", f"http://localhost:{stack.port}/")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "HTTP_PORT": str(stack.port)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_blocks_run_in_their_order(stack: Composed, tmp_path: Path) -> None:
    """From the first look to the slow database. The stack serves after each, and the data stays."""
    kept = post(stack.port, {"name": "Kept: Größe 3"})
    stack.compose("exec", "--no-TTY", "web", "web.py", "keys", "create", "alice", "--scope", "items:read")
    assert len(SQLITE) >= 13
    stopped = False
    for block in SQLITE:
        if stopped:
            stack.up()
        run(stack, block, tmp_path)
        stopped = block == "docker compose stop\n"
        if not stopped:
            wait_until(lambda: ask(stack.port, "GET", "/readyz").status == 200, f"the service ready after\n{block}")
            assert ask(stack.port, "GET", kept["Location"]).body == kept.body
    assert [path.name for path in tmp_path.iterdir()] == ["backup.db"]


def test_a_key_is_rotated_and_revoked(tmp_path: Path) -> None:
    """As the page says: the old key stays valid for a day, and after the revocation neither is valid."""
    rotate, revoke = (block for block in SQLITE if " keys r" in block)
    create = next(line for line in revoke.splitlines(keepends=True) if "keys create" in line)
    with composed() as plain:
        stack = Composed(plain.project, plain.port, variables={"ACCESS": "secured"})
        stack.up()

        def status(key: str) -> int:
            return ask(stack.port, "GET", "/items", headers={"X-API-Key": key}).status

        old = run(stack, create, tmp_path).strip()
        *_, new = run(stack, rotate, tmp_path).splitlines()
        assert [status(key) for key in (old, new, "items_key_no")] == [200, 200, 401]
        said, newest = run(stack, revoke, tmp_path).splitlines()
        assert said == "2 keys of alice revoked."
        wait_until(lambda: [status(old), status(new)] == [401, 401], "both keys refused")
        assert status(newest) == 200


def test_the_commands_in_sentences_run(stack: Composed, tmp_path: Path) -> None:
    """Also those of the alerts. Stop and down come first, because they need a start after them."""
    assert {"docker compose down", "docker compose start", "docker compose restart web", MIGRATE} <= set(LINES)
    for command in LINES:
        if command == MIGRATE:
            continue
        stack.up("--no-recreate")
        run(stack, command, tmp_path)
    stack.up()


def test_the_look_shows_errors_and_slow_requests(stack: Composed, tmp_path: Path) -> None:
    """A request that fails is listed with its id. Requests are sorted by their time, the slowest first."""
    look = next(block for block in SQLITE if ".status >= 500" in block)
    stack.compose("stop", "web")
    failed = ask(stack.port, "GET", "/readyz", headers={"X-Request-Id": "runbook-1"})
    assert failed.status == 502
    wait_until(lambda: "runbook-1" in run(stack, look, tmp_path), "the failed request")
    stack.up()
    assert ask(stack.port, "GET", "/items").status == 200
    slowest = next(block for block in SQLITE if "sort -rg" in block)
    wait_until(lambda: "/items\n" in run(stack, slowest, tmp_path), "the request")
    seconds = [float(line.split("\t")[0]) for line in run(stack, slowest, tmp_path).splitlines()]
    assert seconds == sorted(seconds, reverse=True)


def test_the_commands_for_postgresql_run(on_postgresql: Composed, tmp_path: Path) -> None:
    """A session that blocks others is shown with what it blocks, and ended by its pid."""
    listing, ending = POSTGRESQL
    exec_ = ["docker", "compose", "--project-name", on_postgresql.project, *on_postgresql.options, "exec", "--no-TTY"]
    sql = "BEGIN; LOCK TABLE items; SELECT pg_backend_pid(); SELECT pg_sleep(600)"
    blocker = subprocess.Popen([*exec_, "postgres", "psql", "-qAt", "items", "-c", sql], cwd=ROOT, stderr=-1, stdout=-1)
    try:
        wait_until(lambda: "LOCK TABLE items" in run(on_postgresql, listing, tmp_path), "the session in the list")
        (line,) = (line for line in run(on_postgresql, listing, tmp_path).splitlines() if "LOCK TABLE" in line)
        pid = line.split("|")[0].strip()
        run(on_postgresql, ending.replace("12345", pid), tmp_path)
        assert blocker.wait(30) != 0
    finally:
        blocker.kill()
        blocker.communicate()
    run(on_postgresql, ending, tmp_path)
    run(on_postgresql, MIGRATE, tmp_path)


def test_a_certificate_is_renewed(tmp_path: Path) -> None:
    """As the page says: the log and a client then show the new one."""
    install, check = CERTIFICATE
    authority, mounted, port = Authority(tmp_path / "authority"), tmp_path / "tls", free_port()
    mounted.mkdir()
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)  # the user of the container reads the files
    settings = {"TLS": "mounted", "TLS_CERTIFICATES": str(mounted), "HTTPS_PORT": str(port)}

    def renew(name: str) -> None:
        pair = authority.issue(name)
        pair.chain.rename(tmp_path / "fullchain.pem")
        pair.key.rename(tmp_path / "privkey.pem")
        subprocess.run(["bash", "-c", install.replace("/etc/items/tls", str(mounted))], cwd=tmp_path, check=True)

    renew("old")
    with composed(**settings) as stack:
        look = check.replace("localhost:443", f"localhost:{port}")
        assert "CN = old" in run(stack, look, tmp_path)
        renew("new")
        wait_until(lambda: "CN = new" in run(stack, look, tmp_path), "the new certificate")
        assert "nginx uses the certificate in /etc/nginx/tls" in run(stack, look, tmp_path)


SMALL = "volumes: {items: {driver_opts: {type: tmpfs, device: tmpfs, o: 'size=6m,uid=10001,gid=10001'}}}"


def test_a_full_disk_is_freed(tmp_path: Path) -> None:
    """As the page says: writes are 507, reads go on, and writes succeed again without a restart."""
    look, free, check = (block for block in SQLITE if block in PAGE.split("## Full disk")[1].split("\n## ")[0])
    (tmp_path / "small.yml").write_text(SMALL)
    with composed(*FILE, "--file", str(tmp_path / "small.yml")) as stack:
        kept = post(stack.port, {"name": "Kept"})
        started = stack.inspect("web")["State"]["StartedAt"]
        fill = (
            "dd if=/dev/zero of=/data/backup-old.db bs=64k || dd if=/dev/zero of=/data/backup-older.db bs=512 || true"
        )
        stack.compose("exec", "--no-TTY", "web", "sh", "-c", fill)
        refused = [post(stack.port, {"name": "x" * 80, "description": "y" * 200}).status for _ in range(100)]
        assert refused[-1] == 507
        assert ask(stack.port, "GET", kept["Location"]).body == kept.body
        shown = run(stack, look, tmp_path)
        assert "100%" in shown
        assert "backup-old.db" in shown
        run(stack, free, tmp_path)
        assert post(stack.port, {"name": "New"}).status == 201
        run(stack, check, tmp_path)
        names = {item["name"] for item in ask(stack.port, "GET", "/items?limit=100").json()}
        assert names == {"Kept", "New"} | ({"x" * 80} if 201 in refused else set())
        assert stack.inspect("web")["State"]["StartedAt"] == started

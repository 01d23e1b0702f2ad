"""containers/nginx.sh: the list of servers, and when nginx is told to reload it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.stack import ROOT, wait_until

NGINX = """
import os, signal, sys, time
from pathlib import Path

folder = Path(os.environ["PREFIX"])
def count(*_):
    with (folder / "reloads").open("a") as reloads:
        reloads.write("reload\\n")
signal.signal(signal.SIGHUP, count)
(folder / "nginx.pid").write_text(str(os.getpid()))
(folder / "arguments").write_text(" ".join(sys.argv[1:]) + "\\n")
while True:
    time.sleep(0.05)
"""
"""A program that counts the signals it gets."""


@contextmanager
def started(folder: Path, **settings: str) -> Iterator[Path]:
    """Run the script with that program, and return its list of servers."""
    environment = {**os.environ, "SOCKETS": str(folder), "PREFIX": str(folder), **settings}
    command = [str(ROOT / "containers" / "nginx.sh"), sys.executable, "-c", NGINX, "-p", f"{folder}/"]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        wait_until((folder / "arguments").exists, "nginx running")
        yield folder / "upstream.conf"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def servers(folder: Path, *numbers: int) -> str:
    """Return the list of these instances."""
    return "".join(f"server unix:{folder}/{number}.sock max_fails=0;\n" for number in numbers)


def test_nginx_starts_before_the_service(tmp_path: Path) -> None:
    """It gets the socket of the first instance, because it needs at least one server."""
    with started(tmp_path) as upstream:
        assert upstream.read_text() == servers(tmp_path, 1)
        assert (tmp_path / "arguments").read_text() == f"-p {tmp_path}/\n"


def test_nginx_uses_the_instances_that_run(tmp_path: Path) -> None:
    """It is reloaded for each change, and keeps the last list while no instance runs."""
    reloads = tmp_path / "reloads"
    reloads.touch()
    (tmp_path / "2.sock").touch()
    with started(tmp_path) as upstream:
        assert upstream.read_text() == servers(tmp_path, 2)
        (tmp_path / "1.sock").touch()
        wait_until(lambda: upstream.read_text() == servers(tmp_path, 1, 2), "both instances")
        wait_until(lambda: reloads.read_text() == "reload\n", "a reload")
        (tmp_path / "2.sock").unlink()
        wait_until(lambda: upstream.read_text() == servers(tmp_path, 1), "the other instance")
        (tmp_path / "1.sock").unlink()
        (tmp_path / "3.sock").touch()
        wait_until(lambda: upstream.read_text() == servers(tmp_path, 3), "the third instance")
        wait_until(lambda: reloads.read_text() == "reload\n" * 3, "three reloads")
        (tmp_path / "3.sock").unlink()
        (tmp_path / "unrelated").touch()
    assert upstream.read_text() == servers(tmp_path, 3)


@pytest.mark.parametrize(
    ("setting", "lines"),
    [
        ({}, ""),
        ({"READ_CACHE_SECONDS": ""}, ""),
        ({"READ_CACHE_SECONDS": "0"}, ""),
        ({"READ_CACHE_SECONDS": "08"}, "proxy_cache_valid 200 8s;\ninclude cache/reads.conf;\n"),
        ({"READ_CACHE_SECONDS": "9999"}, "proxy_cache_valid 200 9999s;\ninclude cache/reads.conf;\n"),
    ],
)
def test_a_setting_switches_on_the_cache(tmp_path: Path, setting: dict[str, str], lines: str) -> None:
    """It is off by default."""
    with started(tmp_path, **setting):
        assert (tmp_path / "cache.conf").read_text() == lines


@pytest.mark.parametrize("value", ["-1", "1s", "five", "10000", "1;"])
def test_an_invalid_setting_stops_the_start(tmp_path: Path, value: str) -> None:
    """With one line of JSON, like nginx's own log."""
    environment = {**os.environ, "SOCKETS": str(tmp_path), "PREFIX": str(tmp_path), "READ_CACHE_SECONDS": value}
    command = [str(ROOT / "containers" / "nginx.sh"), "false"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    (line,) = map(json.loads, done.stderr.splitlines())
    assert (done.returncode, line["level"], line["logger"]) == (1, "critical", "nginx")
    assert "READ_CACHE_SECONDS must be a whole number of seconds" in line["message"]

"""containers/nginx.sh: the list of servers, when nginx reloads it, and TLS."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.certificates import Authority, Pair, openssl, self_signed
from tests.e2e.stack import ROOT, listed, wait_until

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
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, start_new_session=True, stderr=log)
    try:
        wait_until((folder / "arguments").exists, "nginx running")
        yield folder / "upstream.conf"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def servers(folder: Path, *numbers: int) -> str:
    """Return the list of these instances."""
    return listed(*(f"unix:{folder}/{number}.sock" for number in numbers))


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


REFUSED = [
    *(("READ_CACHE_SECONDS", value, "a whole number of seconds") for value in ("-1", "1s", "five", "10000", "1;")),
    *(("TLS", value, "TLS must be empty, mounted or self-signed") for value in ("on", "off", "Mounted", "tls;")),
    *(("HTTPS_PORT", value, "the number of a port") for value in ("https", "-1", "443;", "443443")),
]


@pytest.mark.parametrize(("name", "value", "expected"), REFUSED)
def test_an_invalid_setting_stops_the_start(tmp_path: Path, name: str, value: str, expected: str) -> None:
    """With one line of JSON, like nginx's own log."""
    (line,) = refused(tmp_path, **{"TLS": "self-signed", name: value})
    assert f"{name} must be " in line["message"]
    assert expected in line["message"]


def refused(folder: Path, **settings: str) -> list[dict[str, Any]]:
    """Return the log of a start that fails."""
    environment = {**os.environ, "SOCKETS": str(folder), "PREFIX": str(folder), **settings}
    command = [str(ROOT / "containers" / "nginx.sh"), "false"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert (done.returncode, {(line["level"], line["logger"]) for line in lines}) == (1, {("critical", "nginx")})
    return lines


# TLS


def https(port: str) -> str:
    """Return the servers with TLS, and with this port in the redirect."""
    return f'map "" $https_port {{ default "{port}"; }}\ninclude servers/tls.conf;\n'


@pytest.mark.parametrize(
    ("settings", "servers"),
    [
        ({}, "include servers/plain.conf;\n"),
        ({"TLS": "", "HTTPS_PORT": "443"}, "include servers/plain.conf;\n"),
        ({"TLS": "self-signed"}, https("")),
        ({"TLS": "self-signed", "HTTPS_PORT": "443"}, https("")),
        ({"TLS": "self-signed", "HTTPS_PORT": "8443"}, https(":8443")),
    ],
)
def test_a_setting_switches_on_tls(tmp_path: Path, settings: dict[str, str], servers: str) -> None:
    """It is off by default. The redirect names the port, unless it is 443."""
    with started(tmp_path, **settings):
        assert (tmp_path / "servers.conf").read_text() == servers
        assert (tmp_path / "certificate.pem").exists() == ("TLS" in settings and settings["TLS"] != "")


def test_a_self_signed_certificate_is_for_this_machine(tmp_path: Path) -> None:
    """Only its owner can read the key, and no file without the certificate has it."""
    with started(tmp_path, TLS="self-signed"):
        pair = tmp_path / "certificate.pem"
        assert pair.stat().st_mode & 0o777 == 0o600
        shown = openssl("x509", "-in", pair, "-noout", "-subject", "-ext", "subjectAltName")
        assert "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1" in shown
        assert openssl("x509", "-in", pair, "-noout", "-pubkey") == openssl("pkey", "-in", pair, "-pubout")
        assert [path for path in tmp_path.iterdir() if b"PRIVATE KEY" in path.read_bytes()] == [pair]


def mount(pair: Pair, folder: Path) -> None:
    """Put a certificate and its key where the container has them."""
    folder.mkdir(exist_ok=True)
    (folder / "fullchain.pem").write_bytes(pair.chain.read_bytes())
    (folder / "privkey.pem").write_bytes(pair.key.read_bytes())


def test_a_renewed_certificate_is_used_as_soon_as_its_key_is_there(tmp_path: Path) -> None:
    """Nginx is not told, because it reads the file for each connection. It never has a certificate without its key."""
    authority, mounted, used = Authority(tmp_path / "ca"), tmp_path / "mounted", tmp_path / "certificate.pem"
    old, new = authority.issue("old"), authority.issue("new")
    mount(old, mounted)
    with started(tmp_path, TLS="mounted", CERTIFICATES=str(mounted)), (tmp_path / "log").open() as log:
        assert used.read_bytes() == old.chain.read_bytes() + old.key.read_bytes()
        assert used.stat().st_mode & 0o777 == 0o600
        (mounted / "fullchain.pem").write_bytes(new.chain.read_bytes())
        wait_until(lambda: "the key must be that of the first certificate" in log.read(), "a warning")
        assert used.read_bytes() == old.chain.read_bytes() + old.key.read_bytes()
        (mounted / "privkey.pem").write_bytes(new.key.read_bytes())
        wait_until(lambda: "notAfter=" in log.read(), "the new certificate")
        assert used.read_bytes() == new.chain.read_bytes() + new.key.read_bytes()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["level"] for line in lines] == ["info", "warning", "info"]
    assert not (tmp_path / "reloads").exists()


@pytest.mark.parametrize("wrong", ["nothing", "no key", "another key", "a passphrase", "no certificate"])
def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path: Path, wrong: str) -> None:
    """With the reason."""
    mounted = tmp_path / "mounted"
    mount(self_signed(tmp_path / "one"), mounted)
    key = mounted / "privkey.pem"
    if wrong == "nothing":
        shutil.rmtree(mounted)
    elif wrong == "no key":
        key.unlink()
    elif wrong == "another key":
        key.write_bytes(self_signed(tmp_path / "other").key.read_bytes())
    elif wrong == "a passphrase":
        openssl("pkey", "-in", tmp_path / "one" / "self-signed.key", "-aes128", "-passout", "pass:x", "-out", key)
    else:
        (mounted / "fullchain.pem").write_text("")
    (line,) = refused(tmp_path, TLS="mounted", CERTIFICATES=str(mounted))
    reason = "cannot read both" if wrong.startswith("no") and wrong != "no certificate" else "the key must be that of"
    assert reason in line["message"]

"""Scanners and attack tools of others, against nginx with TLS in front of the service."""

import csv
import http.client
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import static
from tests.e2e.certificates import Authority
from tests.e2e.stack import Running, Show, tls_edge

HARMLESS_SEVERITIES = {"OK", "INFO", "LOW", "DEBUG"}
CONNECTIONS, SECONDS_OF_ATTACK = 1000, 20
ATTACKS = {
    "slow headers": ("-H", "-i", "2", "-x", "24", "-u", "/items"),
    "slow body": ("-B", "-i", "2", "-s", "8192", "-x", "10", "-t", "POST", "-u", "/items"),
    "slow read": ("-X", "-w", "16", "-y", "64", "-n", "2", "-z", "16", "-k", "3", "-u", "/ui/swagger-ui-bundle.js"),
    "ranges": ("-R", "-a", "5", "-b", "2000", "-t", "HEAD", "-u", "/ui/swagger-ui-bundle.js"),
}


@dataclass(frozen=True)
class Target:
    """Nginx with TLS, and the authority that has issued its certificate."""

    port: int
    authority: Path


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, app: Running) -> Iterator[Target]:
    """The whole configuration, with Swagger UI."""
    folder = tmp_path_factory.mktemp("scanners")
    authority = Authority(folder / "ca")
    static.write(folder / "edge" / "static")
    with tls_edge(folder, app.port, authority.issue("localhost")) as (_, port, _certificate):
        yield Target(port, authority.certificate)


def program(name: str, package: str) -> str:
    """Return the path of a program; skip the test if it is not installed."""
    return shutil.which(name) or pytest.skip(f"{name} is not installed (apt-get install {package})")


def scan(target: Target, report: Path) -> list[dict[str, str]]:
    """Return the findings of testssl."""
    options = ["--quiet", "--color", "0", "--warnings", "batch", "--nodns", "min", "--ip", "127.0.0.1"]
    command = [program("testssl", "testssl.sh"), *options, "--add-ca", str(target.authority), "--jsonfile", str(report)]
    subprocess.run(
        [*command, f"https://localhost:{target.port}/"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    # `engine_problem` is about GOST ciphers in the openssl that testssl runs.
    return [finding for finding in json.loads(report.read_text()) if finding["id"] != "engine_problem"]


def test_testssl_finds_nothing_of_importance(target: Target, tmp_path: Path, show: Show) -> None:
    """All its checks: no finding is of severity MEDIUM or above, and there is no warning.

    On a busy machine, testssl can fail to connect for one of its checks, and so finds nothing: then it starts again.
    """
    for number in range(3):
        findings = scan(target, tmp_path / f"{number}.json")
        if not any("connect problem" in finding["finding"] for finding in findings):
            break
    severities = Counter(finding["severity"] for finding in findings)
    show(f"testssl: {dict(severities)}")
    assert [finding for finding in findings if finding["severity"] not in HARMLESS_SEVERITIES] == []
    assert {"cert_chain_of_trust", "heartbleed", "ROBOT", "HSTS_time", "TLS1_3"} <= {find["id"] for find in findings}
    (trust,) = (finding for finding in findings if finding["id"] == "cert_chain_of_trust")
    assert trust["severity"] == "OK"


class Visitor(threading.Thread):
    """Another client, from another IP address, that reads items on one connection after the other."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self._nginx = target
        self._context = ssl.create_default_context(cafile=str(target.authority))
        self.stop = threading.Event()
        self.statuses: list[int] = []

    def run(self) -> None:
        """Read until stopped."""
        while not self.stop.is_set():
            with (
                socket.create_connection(("127.0.0.1", self._nginx.port), 60, ("127.0.0.2", 0)) as plain,
                self._context.wrap_socket(plain, server_hostname="localhost") as connection,
            ):
                connection.sendall(b"GET /items?limit=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                response = http.client.HTTPResponse(connection)
                response.begin()
                self.statuses.append(response.status)


@pytest.mark.parametrize("name", ATTACKS)
def test_slow_clients_do_not_keep_others_out(target: Target, tmp_path: Path, name: str, show: Show) -> None:
    """Slowhttptest opens a thousand connections in ten seconds: its own probes and another client are always served."""
    limits = ["-c", str(CONNECTIONS), "-r", "100", "-l", str(SECONDS_OF_ATTACK), "-p", "15"]
    attack, *options, path_option, path = ATTACKS[name]
    url = [path_option, f"https://localhost:{target.port}{path}"]
    command = [
        program("slowhttptest", "slowhttptest"),
        attack,
        *limits,
        *options,
        *url,
        "-g",
        "-o",
        str(tmp_path / "a"),
    ]
    visitor = Visitor(target)
    visitor.start()
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
        )
    finally:
        visitor.stop.set()
        visitor.join()
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    available = [row["Service Available"] for row in rows]
    most = max(int(row["Connected"]) for row in rows)
    show(f"{name}: up to {most} connections; {len(visitor.statuses)} requests of others, all served")
    assert len(rows) > 1, done.stdout
    assert set(visitor.statuses) == {200}
    assert set(available) == {str(max(map(int, available)))}, rows  # 0 means no, and the height of the plot means yes
    assert int(available[0]) > 0

"""HTTPS as the container runs it: containers/nginx.sh with nginx, a mounted certificate, and its renewal."""

import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.certificates import Authority, Pair, openssl
from tests.e2e.http2 import connected, request
from tests.e2e.load import TlsWriter, created, load, total
from tests.e2e.stack import ROOT, Running, Show, ask, configure, free_port, listens, send, wait_until

PROBLEM = "application/problem+json"
PLAIN = ("local/servers.conf", "include servers/plain.conf;\n")


@dataclass(frozen=True)
class Edge:
    """nginx.sh and nginx, with the folder of the mounted certificate."""

    plain: int
    port: int
    mounted: Path
    log: Path


def mount(pair: Pair, folder: Path) -> None:
    """Replace the files, as a client of an authority does: one after the other."""
    folder.mkdir(exist_ok=True)
    for source, name in ((pair.chain, "fullchain.pem"), (pair.key, "privkey.pem")):
        (folder / "new").write_bytes(source.read_bytes())
        (folder / "new").replace(folder / name)


@contextmanager
def running(folder: Path, upstream: int, pair: Pair) -> Iterator[Edge]:
    """Run nginx.sh with TLS=mounted and this certificate."""
    plain, port, mounted = free_port(), free_port(), folder / "mounted"
    mount(pair, mounted)
    edits = [
        (*PLAIN, f"include {folder}/servers.conf;\n"),
        ("local/listen-tls.conf", "listen 8443 ", f"listen 127.0.0.1:{port} "),
        ("local/certificate.conf", "/tmp/certificate.pem", f"{folder}/certificate.pem"),  # noqa: S108 -- a text
    ]
    command = configure(folder, plain, upstream, edits)
    settings = {"TLS": "mounted", "HTTPS_PORT": str(port), "PREFIX": str(folder), "SOCKETS": str(folder / "none")}
    log = folder / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [ROOT / "containers" / "nginx.sh", *command],
            env={**os.environ, **settings, "CERTIFICATES": str(mounted)},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        wait_until(lambda: listens(port), "nginx listening with TLS")
        yield Edge(plain, port, mounted, log)
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def served(port: int, authority: Path) -> str:
    """Return the name in the certificate of a new connection; nothing if its handshake came between two files.

    nginx opens the file twice, for the certificate and for the key; see docs/compose.md. No request was sent then.
    """
    try:
        return _name(port, authority)
    except ssl.SSLError as error:
        if error.reason != "TLSV1_ALERT_INTERNAL_ERROR":
            raise
        return ""


def _name(port: int, authority: Path) -> str:
    context = ssl.create_default_context(cafile=str(authority))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        certificate = connection.getpeercert() or {}
    return str(dict(pair[0] for pair in certificate["subject"])["commonName"])  # type: ignore[misc]  # typeshed


def wait_until_served(port: int, authority: Path, name: str) -> None:
    """Return as soon as new connections get the certificate with this name."""
    wait_until(lambda: served(port, authority) == name, f"served: {name}")


def test_a_renewal_loses_no_request_and_no_connection(tmp_path: Path, app: Running, show: Show) -> None:
    """Four clients write on connections that they keep, and one reads over HTTP/2, during five renewals."""
    authority = Authority(tmp_path / "ca")
    with running(tmp_path, app.port, authority.issue("number-0")) as edge:
        kind = partial(TlsWriter, authority=authority.certificate)
        with load(edge.port, kind=kind) as writers, connected(edge.port, authority.certificate) as reader:
            for number in range(1, 6):
                goal = created(writers) + 50
                mount(authority.issue(f"number-{number}"), edge.mounted)
                wait_until_served(edge.port, authority.certificate, f"number-{number}")
                wait_until(lambda goal=goal: created(writers) >= goal, "50 more items")  # type: ignore[misc]
                assert reader.ask(request(b"/healthz")).status == 200
            assert reader.is_open
        tally = total(writers)
        opened = [writer.connections for writer in writers if isinstance(writer, TlsWriter)]
        show(f"the certificate renewed 5 times: {tally}; {sum(opened)} connections")
        assert (tally.lost, tally.other, tally.refused) == ([], [], 0)
        assert opened == [1 + (writer.tally.sent - 1) // 1000 for writer in writers]  # keepalive_requests
        wait_until(lambda: edge.log.read_text().count("notAfter=") == 6, "a line in the log for each certificate")
        messages = [json.loads(line)["message"] for line in edge.log.read_text().splitlines()]
        assert [message for message in messages if "signal" in message or "reconfiguring" in message] == []


def test_a_session_is_resumed_after_a_renewal(tmp_path: Path, app: Running) -> None:
    """Without a ticket: nginx keeps the session, so the keys of the tickets cannot leak."""
    authority = Authority(tmp_path / "ca")
    with running(tmp_path, app.port, authority.issue("old")) as edge:
        context = ssl.create_default_context(cafile=str(authority.certificate))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        first = _session(edge.port, context, None)
        assert (first.has_ticket, served(edge.port, authority.certificate)) == (False, "old")
        mount(authority.issue("new"), edge.mounted)
        wait_until(lambda: served(edge.port, authority.certificate) == "new", "the new certificate")
        assert _session(edge.port, context, first).id == first.id


def _session(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLSession:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as connection,
    ):
        assert connection.session_reused == (session is not None)
        assert connection.session
        return connection.session


def test_the_redirect_has_the_published_port(tmp_path: Path, app: Running) -> None:
    """Only to a host that is one, and every refusal is a problem."""
    authority = Authority(tmp_path / "ca")
    with running(tmp_path, app.port, authority.issue("one")) as edge:
        response = ask(edge.plain, "PUT", "/items/1?a=%20b", b"{}", {"Host": "Items.example:80"})
        assert (response.status, response["Location"]) == (308, f"https://items.example:{edge.port}/items/1?a=%20b")
        assert ask(edge.plain, "GET", "/", headers={"Host": "[::1]"})["Location"] == f"https://[::1]:{edge.port}/"
        for host in ("user@other.example", "other.example\\x", "other.example?", "a..b#", "[::1", "[other]", ""):
            refused = ask(edge.plain, "GET", "/", headers={"Host": host})
            assert (refused.status, refused["Content-Type"], refused.all("Location")) == (400, PROBLEM, [])
        assert send(edge.plain, b"GET / HTTP/1.0\r\n\r\n").status == 400
        for request_bytes, status in ((b"GET /.problem HTTP/1.1\r\nHost: a\r\n\r\n", 404), (b"x\r\n\r\n", 400)):
            response = send(edge.plain, request_bytes)
            assert (response.status, response["Content-Type"]) == (status, PROBLEM)


def test_the_health_check_of_the_container_needs_no_certificate(tmp_path: Path, app: Running) -> None:
    """It asks nginx on the port without TLS, which is not redirected for this one URL."""
    with running(tmp_path, app.port, Authority(tmp_path / "ca").issue("one")) as edge:
        command = [str(ROOT / "nginx" / "healthcheck"), str(edge.plain)]
        assert subprocess.run(command, timeout=30, check=False).returncode == 0


@pytest.mark.parametrize(
    "options",
    [
        *(("-tls1_3", "-groups", group) for group in ("X25519", "P-256", "P-384")),
        *(("-tls1_2", "-cipher", f"ECDHE-ECDSA-{name}") for name in ("AES128-GCM-SHA256", "CHACHA20-POLY1305")),
    ],
    ids=" ".join,
)
def test_the_intermediate_profile_is_offered(tls: tuple[int, Path], options: tuple[str, ...]) -> None:
    """These groups and ciphers work."""
    assert _handshake(*tls, *options)


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "DHE"])
def test_other_ciphers_are_refused(tls: tuple[int, Path], cipher: str) -> None:
    """Without forward secrecy, with CBC, or with a group that the server chooses."""
    assert not _handshake(*tls, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory, app: Running) -> Iterator[tuple[int, Path]]:
    """The port and the authority."""
    folder = tmp_path_factory.mktemp("profile")
    authority = Authority(folder / "ca")
    with running(folder, app.port, authority.issue("one")) as edge:
        yield edge.port, authority.certificate


def _handshake(port: int, authority: Path, *options: str) -> bool:
    """Return whether openssl establishes a connection."""
    command = ["s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(authority), "-verify_return_error", *options]
    try:
        return "Verify return code: 0 (ok)" in openssl(*command)
    except subprocess.CalledProcessError:
        return False


def test_a_client_without_aes_instructions_gets_chacha20(tls: tuple[int, Path]) -> None:
    """If it names it first; another client gets AES."""
    chacha, aes = "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256"
    for first, second in ((chacha, aes), (aes, chacha)):
        command = ["s_client", "-connect", f"127.0.0.1:{tls[0]}", "-tls1_2", "-cipher", f"{first}:{second}"]
        assert f"Cipher is {first}" in openssl(*command)

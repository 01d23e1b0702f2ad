"""HTTPS in the containers of docker-compose.yml: the published port, and the renewal of a mounted certificate."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.certificates import Authority, Pair
from tests.e2e.http2 import connected, request
from tests.e2e.load import TlsWriter, created, finish, load, total
from tests.e2e.stack import Composed, Show, ask, composed, free_port, wait_until
from tests.e2e.test_tls import wait_until_served


@dataclass(frozen=True)
class Https:
    """The stack with TLS, the published port, and the folder that is mounted."""

    stack: Composed
    port: int
    folder: Path
    authority: Authority


def put(pair: Pair, folder: Path) -> None:
    """Replace both files, readable for the user of the container only."""
    for source, name in ((pair.chain, "fullchain.pem"), (pair.key, "privkey.pem")):
        new = folder / f"{name}.new"
        new.write_bytes(source.read_bytes())
        new.chmod(0o400)
        os.chown(new, 10002, 10002)
        new.replace(folder / name)


@pytest.fixture(scope="module")
def https() -> Iterator[Https]:
    """One stack with a mounted certificate."""
    if os.geteuid() != 0:
        pytest.skip("only root can give the key to the user of the container")
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        authority = Authority(folder / "ca")
        (folder / "tls").mkdir()
        put(authority.issue("old"), folder / "tls")
        settings = {"TLS": "mounted", "TLS_CERTIFICATES": f"{folder}/tls", "HTTPS_PORT": str(port)}
        with composed(**settings) as stack:
            yield Https(stack, port, folder / "tls", authority)


def test_both_ports_are_published(https: Https) -> None:
    """HTTP is redirected to HTTPS, which speaks HTTP/2, and all containers are healthy."""
    redirect = ask(https.stack.port, "GET", "/items", headers={"Host": "localhost"})
    assert (redirect.status, redirect["Location"]) == (308, f"https://localhost:{https.port}/items")
    with connected(https.port, https.authority.certificate) as client:
        response = client.ask(request())
        assert (response.status, response.body.strip()) == (200, b"[]")
        assert response.headers["strict-transport-security"] == "max-age=63072000"
    assert https.stack.inspect("nginx")["State"]["Health"]["Status"] == "healthy"


def test_a_renewal_in_the_container_is_not_noticed(https: Https, show: Show) -> None:
    """Three renewals under load lose no request and no connection."""
    authority = https.authority.certificate
    with load(https.port, kind=lambda port: TlsWriter(port, authority)) as writers:
        for number in range(3):
            goal = created(writers) + 50
            put(https.authority.issue(f"new-{number}"), https.folder)
            wait_until_served(https.port, authority, f"new-{number}")
            wait_until(lambda goal=goal: created(writers) >= goal, "50 more items")  # type: ignore[misc]
        finish(writers)
    tally = total(writers)
    show(f"the certificate of the container renewed 3 times: {tally}")
    assert (tally.lost, tally.other, tally.refused) == ([], [], 0)


def test_a_self_signed_certificate_needs_no_file(tmp_path: Path) -> None:
    """The documented command to try it."""
    port = free_port()
    with composed(TLS="self-signed", HTTPS_PORT=str(port)) as stack:
        certificate = tmp_path / "certificate.pem"
        certificate.write_text(ssl.get_server_certificate(("127.0.0.1", port)))
        with connected(port, certificate) as client:
            assert client.ask(request()).status == 200
        assert stack.inspect("nginx")["State"]["Health"]["Status"] == "healthy"

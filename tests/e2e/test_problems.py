"""Each example of docs/problems.md is run with curl, in the situation that its section describes."""

import contextlib
import re
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app import problem_pages
from tests.docs.markdown import Example, examples, read
from tests.docs.test_examples import _comparable, _run, _without_security_headers
from tests.e2e.stack import ROOT, edge, free_port, post, service
from tests.e2e.test_edge import IMPATIENT

SECTIONS = {
    int(section["status"]): next(examples(section["text"]))
    for section in problem_pages._SECTION.finditer(read("docs/problems.md"))
}
URL = re.compile(r"(?<=127\.0\.0\.1:)80[08]0\b")
FULL_DISK = """\
import sqlite3, sqlite3.dbapi2 as driver
connect = driver.connect
def with_limit(*arguments, **options):
    connection = connect(*arguments, **options)
    connection.execute("PRAGMA max_page_count = 1")
    return connection
driver.connect = sqlite3.connect = with_limit
"""
Situation = Callable[[Path], contextlib.AbstractContextManager[int]]


@contextlib.contextmanager
def usual(folder: Path, **settings: str) -> Iterator[int]:
    """The service with one item; the value is the port to send the request to."""
    with service(folder, root=ROOT, prefix=(), **settings) as running:
        assert post(running.port, {"name": "Desk lamp"}).status == 201
        yield running.port


@contextlib.contextmanager
def database(folder: Path, statement: str) -> Iterator[int]:
    """The service, while another program has run a statement in its database; its transaction is still open."""
    with usual(folder, WRITE_TIMEOUT="1") as port:
        other = sqlite3.connect(folder / "items.db", isolation_level=None)
        other.execute(statement)
        yield port
        other.close()


@contextlib.contextmanager
def crowded(folder: Path) -> Iterator[int]:
    """The service with as many connections as it allows."""
    with (
        usual(folder, WEB_CONCURRENCY="1", CONNECTIONS_PER_IP="1", FORWARDED_ALLOW_IPS="192.0.2.1") as port,
        socket.create_connection(("127.0.0.1", port)) as other,
    ):
        other.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert other.recv(15) == b"HTTP/1.1 200 OK"
        yield port


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[int]:
    """The service, whose database can have no more pages."""
    with usual(folder):  # makes the tables
        pass
    (folder / "sitecustomize.py").write_text(FULL_DISK)
    with service(folder, PYTHONPATH=str(folder)) as running:
        while post(running.port, {"name": "Chair"}).status == 201:
            pass
        yield running.port


@contextlib.contextmanager
def denied(folder: Path) -> Iterator[int]:
    """Nginx with a location that nobody may use."""
    location = "location /internal/ {\n deny all;\n}\nlocation / {"
    with edge(folder, free_port(), [("server.d/locations.conf", "location / {", location)]) as nginx:
        yield nginx.port


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[int]:
    """Nginx without a service."""
    with edge(folder, free_port(), IMPATIENT) as nginx:
        yield nginx.port


@contextlib.contextmanager
def silent(folder: Path) -> Iterator[int]:
    """Nginx in front of a service that accepts connections and does not respond."""
    shorter = [("server.d/proxy.conf", "proxy_read_timeout 35s;", "proxy_read_timeout 200ms;")]
    with socket.create_server(("127.0.0.1", 0)) as listener, edge(folder, listener.getsockname()[1], shorter) as nginx:
        yield nginx.port


@contextlib.contextmanager
def secured(folder: Path) -> Iterator[int]:
    """The service, which wants a credential."""
    with service(folder, ACCESS="secured", KEYS_SECRET_FILE=f"{folder}/keys.secret") as running:
        yield running.port


SITUATIONS: dict[int, Situation] = {
    401: secured,
    403: denied,
    409: lambda folder: database(folder, "CREATE UNIQUE INDEX one_of_each ON items (name)"),
    421: lambda folder: usual(folder, ALLOWED_HOSTS="items.internal"),
    429: crowded,
    500: lambda folder: database(folder, "DROP TABLE items"),
    501: alone,
    502: alone,
    503: lambda folder: database(folder, "BEGIN IMMEDIATE"),
    504: silent,
    505: alone,
    507: full_disk,
}


@pytest.fixture(scope="module")
def usual_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The service for all examples that need no other situation."""
    with usual(tmp_path_factory.mktemp("usual")) as port:
        yield port


def _same(response: str) -> str:
    """Return what the pages show and does not vary. `Connection` depends on whether the whole body had arrived.

    The pages omit `RateLimit` and `RateLimit-Policy`, as they omit the security headers: docs/limits.md is about them.
    """
    return re.sub(r"^(connection|ratelimit(-policy)?):.*\n", "", _comparable(response), flags=re.MULTILINE)


def printed(example: Example, port: int) -> str:
    """Return what the command prints. Only the port is changed."""
    return _run(URL.sub(str(port), example.command))


@pytest.mark.parametrize("status", SECTIONS)
def test_the_example_gets_the_response_of_the_page(status: int, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Status, headers and body are the same, and the type in the body is that of the page."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed (apt-get install curl)")
    example = SECTIONS[status]
    if status in SITUATIONS:
        with SITUATIONS[status](tmp_path) as port:
            response = printed(example, port)
    else:
        response = printed(example, request.getfixturevalue("usual_port"))
    assert _same(_without_security_headers(response)) == _same(example.shown)
    assert f'{{"type":"{problem_pages.problem_types()[status]}",' in response
    assert response.startswith(f"HTTP/1.1 {status} ")

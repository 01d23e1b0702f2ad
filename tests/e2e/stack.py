"""Starts the parts of the running service for the tests: Gunicorn, nginx, and connections to both.

`service()` and `edge()` run the real programs on this machine; `Composed` controls the containers.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app import edge as app_edge
from tests.e2e.certificates import Pair, self_signed

ROOT = Path(__file__).resolve().parents[2]
NGINX_CONF = ROOT / "nginx"
VAR = ROOT / "var" / "e2e"
LUA = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
"""The module that bounds the time of a body, as nginx/local/modules.conf has it. nginx runs without it, too."""
SECONDS = 60.0
Edit = tuple[str, str, str]
"""A file of nginx/, a piece of its text that is there once, and what to put in its place."""


@dataclass(frozen=True)
class Response:
    """An HTTP response. `headers` keeps the order and repeated headers."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return all values of one header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    def json(self) -> Any:
        """Parse the body as JSON."""
        return json.loads(self.body)


def _response(response: http.client.HTTPResponse) -> Response:
    body = response.read()
    return Response(response.status, tuple(response.getheaders()), body)


def ask(
    port: int,
    method: str,
    path: str,
    body: bytes | Iterator[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Send one request on a new connection. A list of chunks as `body` is sent chunked."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        chunked = body is not None and not isinstance(body, bytes)
        connection.request(method, path, body, dict(headers or {}), encode_chunked=chunked)
        return _response(connection.getresponse())
    finally:
        connection.close()


def send(port: int, request: bytes, *, method: str = "GET") -> Response:
    """Send these exact bytes. `method` determines how the response is read."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection, method=method)
        response.begin()
        return _response(response)


def post(port: int, document: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Create an item."""
    return ask(
        port, "POST", "/items", json.dumps(document).encode(), {"Content-Type": "application/json", **(headers or {})}
    )


def free_port() -> int:
    """Return an unused port of 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Return as soon as the condition is true; fail after this number of seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"after {seconds:.0f} s: not {what}")
        time.sleep(0.02)


def listens(port: int) -> bool:
    """Return whether a program accepts connections on this port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


Show = Callable[[str], None]
"""Prints a figure that a test has measured, although pytest captures the output (the fixture `show`)."""


@dataclass(frozen=True)
class Running:
    """A program that listens on `port` and writes to the files `out` and `err`."""

    port: int
    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def lines(self) -> list[dict[str, Any]]:
        """Return its output on stdout, which is one JSON document per line."""
        return [json.loads(line) for line in self.out.read_text(encoding="utf-8").splitlines()]

    def line(self, request_id: str) -> dict[str, Any]:
        """Wait for the one line about this request and return it."""
        wait_until(lambda: f'"{request_id}"' in self.out.read_text(encoding="utf-8"), f"{request_id} in {self.out}")
        (line,) = (line for line in self.lines() if line["request_id"] == request_id)
        return line


@contextlib.contextmanager
def _running(command: list[str], port: int, folder: Path, name: str, **options: Any) -> Iterator[Running]:
    out, err = folder / f"{name}.out", folder / f"{name}.err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, **options)
        try:
            wait_until(lambda: process.poll() is not None or listens(port), f"{name} listening on {port}")
            if process.poll() is not None:
                pytest.fail(f"{name} ended with {process.returncode}:\n{err.read_text()[-4000:]}")
            yield Running(port, process, out, err)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def service(folder: Path, *, root: Path = ROOT, prefix: Sequence[str] = (), **settings: str) -> Iterator[Running]:
    """Run the real service: Gunicorn from the checkout `root`, with its own database in `folder`.

    `prefix` is a program that runs the command.
    """
    port = int(settings.get("PORT") or free_port())
    environment = {
        **os.environ,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "DATABASE_URL": f"sqlite:///{folder}/items.db",
        **settings,
    }
    command = [*prefix, sys.executable, "-m", "app"]
    with _running(command, port, folder, "gunicorn", cwd=root, env=environment) as running:
        wait_until(lambda: ask(port, "GET", "/readyz").status == 200, "the service ready")
        yield running


def workers(gunicorn: Running) -> set[int]:
    """Return the process ids of the service's workers that have not ended."""
    pid = gunicorn.process.pid
    with contextlib.suppress(OSError):
        found = {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
        return {child for child in found if is_running(child)}
    return set()


def is_running(pid: int) -> bool:
    """Return whether a process exists, and has not ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def kill_worker(gunicorn: Running, choose: Callable[[list[int]], int] = min) -> int:
    """Kill one of the workers with SIGKILL, as soon as there is one; return its process id."""
    killed: list[int] = []

    def kill() -> bool:
        if found := sorted(workers(gunicorn)):
            pid = choose(found)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
        return bool(killed)

    wait_until(kill, "a worker to kill")
    return killed[0]


def kill_service(gunicorn: Running, *, workers_too: bool = True) -> None:
    """Kill the main process with SIGKILL, and its workers."""
    for pid in [gunicorn.process.pid, *(workers(gunicorn) if workers_too else [])]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    gunicorn.process.wait()


def nginx_program() -> str:
    """Return the path of nginx; skip the test if it is not installed."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("nginx is not installed (apt-get install nginx)")
    return program


def configure(folder: Path, listen: int, upstream: int, edits: Iterable[Edit] = ()) -> list[str]:
    """Copy nginx/ to `folder`, set the port, the upstream and the static folder, and apply the edits.

    Generate the files that depend on the contract. Return the command that starts nginx.
    """
    configuration = folder / "nginx"
    shutil.copytree(NGINX_CONF, configuration)
    app_edge.write(configuration / "contract")
    (configuration / "local" / "listen.conf").write_text(f"listen 127.0.0.1:{listen};\n")
    (configuration / "local" / "upstream.conf").write_text(f"server 127.0.0.1:{upstream} max_fails=0;\n")
    (configuration / "local" / "cache.conf").write_text("")
    if not LUA.exists():
        (configuration / "local" / "modules.conf").write_text("")
        (configuration / "http.d" / "body-time.conf").write_text("")
    (configuration / "local" / "servers.conf").write_text("include servers/plain.conf;\n")
    (configuration / "local" / "static.conf").write_text(f"root {folder}/static;\n")
    for name, old, new in edits:
        text = (configuration / name).read_text()
        assert text.count(old) == 1, f"{old!r} in {name}"
        (configuration / name).write_text(text.replace(old, new))
    # If root starts nginx, its workers run as the user `nobody`, which cannot read the files of the tests.
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    return [nginx_program(), "-p", f"{folder}/", "-c", str(configuration / "nginx.conf"), *user]


def listed(*servers: str) -> str:
    """Return the list of these servers as containers/nginx.sh writes it."""
    return "".join(f"server {server};\nserver {server} backup max_fails=0;\n" for server in servers)


@contextlib.contextmanager
def edge(folder: Path, upstream: int, edits: Iterable[Edit] = ()) -> Iterator[Running]:
    """Run the real nginx with the files of nginx/, in front of the port `upstream`.

    nginx serves the files that `app.static` has written to `folder`/static itself.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with _running(configure(folder, port, upstream, edits), port, folder, "nginx") as running:
        yield running


@contextlib.contextmanager
def tls_edge(
    folder: Path, upstream: int, pair: Pair | None = None, edits: Iterable[Edit] = ()
) -> Iterator[tuple[Running, int, Path]]:
    """Run nginx with servers/tls.conf instead of plain.conf: (nginx, TLS port, certificate).

    nginx reads the certificate and its key from `folder`/pair.pem, which a test can replace.
    """
    pair = pair or self_signed(folder)
    port = free_port()
    pair.install(folder / "pair.pem")
    tls = [
        ("local/servers.conf", "include servers/plain", 'map "" $https_port { default ""; }\ninclude servers/tls'),
        ("local/listen-tls.conf", "listen 8443 ", f"listen 127.0.0.1:{port} "),
        ("local/certificate.conf", "/tmp/certificate.pem", str(folder / "pair.pem")),  # noqa: S108 -- a text in a file
    ]
    with edge(folder / "edge", upstream, [*tls, *edits]) as nginx:
        yield nginx, port, pair.chain


@contextlib.contextmanager
def outer(folder: Path, location: str) -> Iterator[Running]:
    """Run another nginx in front, whose server has only this location."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    paths = "".join(f"{name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "scgi", "uwsgi"))
    server = f"server {{ listen 127.0.0.1:{port}; {location} }}"
    (folder / "nginx.conf").write_text(
        f"daemon off; pid pid; error_log stderr; events {{}} http {{ access_log off; {paths} {server} }}\n"
    )
    command = [nginx_program(), "-p", f"{folder}/", "-c", str(folder / "nginx.conf")]
    with _running(command, port, folder, "outer") as running:
        yield running


@contextlib.contextmanager
def prism(folder: Path, document: Path, upstream: int) -> Iterator[Running]:
    """Run Prism as a validating proxy that rejects requests and responses that violate the contract in `document`."""
    program = ROOT / "node_modules" / ".bin" / "prism"
    if not program.exists():
        pytest.skip("Prism is not installed (make .venv-tools/ready)")
    port = free_port()
    environment = {**os.environ, "PATH": f"{ROOT / '.venv-tools' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    command = [str(program), "proxy", "--errors", "--port", str(port), str(document), f"http://127.0.0.1:{upstream}"]
    with _running(command, port, folder, "prism", env=environment, start_new_session=True) as running:
        try:
            yield running
        finally:
            os.killpg(running.process.pid, signal.SIGTERM)  # Node.js runs below a wrapper that does not pass it on


def engine() -> None:
    """Skip the test if Docker does not respond."""
    if shutil.which("docker") is None:
        pytest.skip("no Docker engine: there is no docker command")
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            pytest.skip(f"no Docker engine: {' '.join(command)} says: {' '.join(reason)}")


@dataclass(frozen=True)
class Composed:
    """docker-compose.yml as a separate project on its own port."""

    project: str
    port: int
    options: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def compose(self, *arguments: str, check: bool = True) -> str:
        """Run `docker compose`, and return its output."""
        command = ["docker", "compose", "--project-name", self.project, *self.options, *arguments]
        return self.run(command, check=check)

    def up(self, *options: str) -> None:
        """Run `docker compose up`, and wait until all services are healthy."""
        self.compose("up", "--detach", "--wait", "--wait-timeout", "120", *options)

    def container(self, name: str) -> str:
        """Return the id of a service's container."""
        return self.compose("ps", "--all", "--quiet", name).strip()

    def inspect(self, name: str) -> dict[str, Any]:
        """Return Docker's description of a service's container."""
        (found,) = json.loads(self.run(["docker", "inspect", self.container(name)]))
        return dict(found)

    def logs(self, name: str) -> list[str]:
        """Return the output of a service's container on stdout and stderr."""
        return self.run(["docker", "logs", self.container(name)], stderr=subprocess.STDOUT).splitlines()

    def python(self, code: str) -> str:
        """Run Python in the container of the service."""
        return self.compose("exec", "--no-TTY", "web", "python", "-c", code)

    def run(self, command: list[str], *, check: bool = True, stderr: int = subprocess.PIPE) -> str:
        """Run a command in the environment of the stack, and return its output."""
        environment = {**os.environ, "HTTP_PORT": str(self.port), **self.variables}
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            timeout=900,
            check=False,
        )
        if check and done.returncode != 0:
            output = f"{done.stdout[-3000:]}\n{(done.stderr or '')[-6000:]}"
            pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{output}")
        return done.stdout


@contextlib.contextmanager
def composed(*options: str, **variables: str) -> Iterator[Composed]:
    """Build and start the stack as docs/compose.md does, and remove it with its volumes and images afterwards."""
    engine()
    port = free_port()
    stack = Composed(f"items-e2e-{os.getpid()}-{port}", port, options, variables)
    try:
        stack.up("--build")
        yield stack
    finally:
        VAR.mkdir(parents=True, exist_ok=True)
        (VAR / "compose.log").write_text(stack.compose("logs", "--no-color", "--timestamps", check=False))
        stack.compose("down", "--volumes", "--remove-orphans", "--rmi", "local", check=False)

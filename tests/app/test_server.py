"""`python -m app` ends a start that cannot succeed at once, with one message that says what to do."""

import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy.engine import make_url

from app.settings import ROOT, Settings
from app.start import StartError, check, check_access, check_port, create_database, merge_wal, welcome

ANOTHER = "DATABASE_URL=sqlite:///FILE chooses another file."
GUNICORN = "Gunicorn's settings are invalid: "


def _start(folder: Path, **environ: str) -> str:
    """Start the service, which must end; return its message."""
    environment = {"PATH": os.environ["PATH"], "PORT": "0", "DATABASE_URL": f"sqlite:///{folder}/items.db"}
    command = [sys.executable, "-m", "app"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment | environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    begin = "The service cannot start. "
    assert done.stderr.startswith(begin)
    return done.stderr.removeprefix(begin).removesuffix("\n")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_port_in_use_is_one_sentence(tmp_path: Path, taken: int) -> None:
    """Nothing else is printed: no log, and no second try."""
    assert _start(tmp_path, PORT=str(taken)) == (
        f"Port {taken} of 127.0.0.1 is in use by another program. "
        f"Choose another with PORT=…, such as PORT={taken + 1 if taken < 65535 else taken - 1}."
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "WEB_CONCURRENCY",
            "two",
            "These settings are invalid:\n  - WEB_CONCURRENCY must be a whole number from 1 to 256",
        ),
        (
            "FORWARDED_ALLOW_IPS",
            "localhost",
            "These settings are invalid:\n  - FORWARDED_ALLOW_IPS must be a list of IP",
        ),
        ("HOST", "192.0.2.7", "HOST is 192.0.2.7, which is not an IP address of this machine. HOST=127.0.0.1 serves"),
        (
            "GUNICORN_CMD_ARGS",
            "--workers=two",
            f"{GUNICORN}GUNICORN_CMD_ARGS: argument -w/--workers: invalid int value:",
        ),
        ("GUNICORN_CMD_ARGS", "--timeout=-3", f"{GUNICORN}GUNICORN_CMD_ARGS: timeout: Value must be positive: -3"),
        ("GUNICORN_CMD_ARGS", "--nonsense", f"{GUNICORN}GUNICORN_CMD_ARGS: unrecognized arguments: --nonsense"),
        ("GUNICORN_CMD_ARGS", "--bind 'x", f"{GUNICORN}No closing quotation"),
        ("GUNICORN_CMD_ARGS", "--worker-class=nope", f"{GUNICORN}class uri 'nope' invalid or not found"),
        ("GUNICORN_CMD_ARGS", "--bind=127.0.0.1:http", f"{GUNICORN}'http' is not a valid port number"),
        ("GUNICORN_CMD_ARGS", "--bind=127.0.0.1:99999", "The port 99999 does not exist: the highest is 65535."),
        ("GUNICORN_CMD_ARGS", "--bind=unix:/none/socket", "The socket /none/socket cannot be created:"),
        ("GUNICORN_CMD_ARGS", "--bind=fd://99", "Gunicorn's setting bind is fd://99, which is not an open socket."),
        ("GUNICORN_CMD_ARGS", "--certfile=/none", "Gunicorn's setting certfile is /none, which does not exist."),
        ("GUNICORN_CMD_ARGS", "--error-logfile=/none/log", "Gunicorn's setting errorlog is /none/log, which cannot be"),
    ],
    ids=lambda text: text if len(text) < 30 else "",
)
def test_every_setting_has_one_message(tmp_path: Path, name: str, text: str, message: str) -> None:
    """Gunicorn's own settings, too: there is no traceback, no usage and no log."""
    printed = _start(tmp_path, **{name: text})
    assert printed.startswith(message)
    assert len(printed.splitlines()) <= 2


def test_standard_output_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`accesslog = "-"` is valid in a folder that cannot be written, as in the container."""
    names = ("certfile", "keyfile", "ca_certs", "worker_tmp_dir", "pidfile", "errorlog")
    cfg = SimpleNamespace(**dict.fromkeys(names), accesslog="-", reuse_port=False)
    cfg.address = [("127.0.0.1", 0)]
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)
    settings = Settings.from_environ({"DATABASE_URL": f"sqlite:///{tmp_path}/items.db"})
    check(cfg, settings)
    cfg.accesslog = f"{tmp_path}/log"
    with pytest.raises(StartError, match=r"^Gunicorn's setting accesslog is .*/log, which cannot be written\.$"):
        check(cfg, settings)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])  # noqa: S104  # not bound to
def test_other_machines_are_not_served_without_a_decision(host: str) -> None:
    """A service that everyone can reach and change must be meant to be."""
    with pytest.raises(StartError, match=rf"^Other machines can reach {host}, and ACCESS is not set\. ACCESS=secured"):
        check_access("", [("127.0.0.1", 8000), (host, 8000)])
    for access in ("open", "secured"):
        check_access(access, [(host, 8000)])


def test_this_machine_is_served_without_a_decision() -> None:
    """Also over a Unix socket, and by a socket that another program has opened."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        check_access(
            "", [("127.0.0.1", 1), ("::1", 1), ("127.8.9.1", 1), ("localhost", 1), "/a.sock", listener.fileno()]
        )
    check_access("", [listener.fileno()])


def test_an_open_socket_counts_by_its_host() -> None:
    """Such as one that a container's start has opened."""
    with (
        socket.create_server(("0.0.0.0", 0)) as listener,  # noqa: S104
        pytest.raises(StartError, match=r"^Other machines can reach 0\.0\.0\.0"),
    ):
        check_access("", [listener.fileno()])


def test_a_socket_of_systemd_counts_in_place_of_the_setting(tmp_path: Path) -> None:
    """Gunicorn listens on it, whatever HOST is."""
    script = 'exec 3<&$0; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
    with socket.create_server(("0.0.0.0", 0)) as listener:  # noqa: S104
        done = subprocess.run(
            ["bash", "-c", script, str(listener.fileno()), sys.executable, "-m", "app"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{tmp_path}/items.db"},
            pass_fds=[listener.fileno()],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("The service cannot start. Other machines can reach 0.0.0.0, and ACCESS is not set.")


def test_a_secret_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    """Every request with a key would be a 500."""
    file = tmp_path / "keys.secret"
    file.write_bytes(b"short")
    message = f"The file {file} has 5 bytes, but the secret has 32."
    assert _start(tmp_path, ACCESS="secured", KEYS_SECRET_FILE=str(file)) == message
    folder = f"The file {tmp_path} cannot be used: Is a directory. KEYS_SECRET_FILE chooses it."
    assert _start(tmp_path, ACCESS="secured", KEYS_SECRET_FILE=str(tmp_path)) == folder
    assert list(tmp_path.iterdir()) == [file]


def test_a_public_host_stops_the_start(tmp_path: Path) -> None:
    """With one sentence, before anything is created."""
    assert _start(tmp_path, HOST="0.0.0.0").startswith("Other machines can reach 0.0.0.0, and ACCESS is not set.")  # noqa: S104
    assert list(tmp_path.iterdir()) == []


def test_a_port_without_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run as root, so the system's refusal is simulated."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(StartError, match=r"^Port 80 is reserved for the administrator\. .* such as PORT=8080\.$"):
        check_port("0.0.0.0", 80)  # noqa: S104


def test_a_host_without_ip_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a name has one depends on the network, so its absence is simulated."""

    def unknown(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket.socket, "bind", unknown)
    with pytest.raises(
        StartError, match=r"^HOST is nowhere\.invalid, which has no IP address: Name or service not known\.$"
    ):
        check_port("nowhere.invalid", 8000)


def _fault(url: str) -> str:
    with pytest.raises(StartError) as caught:
        create_database(make_url(url))
    return str(caught.value)


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    """The message names the file."""
    assert _fault(f"sqlite:///{tmp_path}") == f"The database file {tmp_path} cannot be used: it is a folder. {ANOTHER}"


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """The file is not changed."""
    file = tmp_path / "notes.txt"
    file.write_text("These are notes, and not a database. " * 10)
    assert _fault(f"sqlite:///{file}") == f"The database file {file} cannot be used: file is not a database. {ANOTHER}"
    assert file.read_text() == "These are notes, and not a database. " * 10


def test_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    """Here a file has its name."""
    (tmp_path / "var").touch()
    file = tmp_path / "var" / "items.db"
    assert _fault(f"sqlite:///{file}") == (
        f"The database file {file} cannot be used: its folder cannot be created (File exists: {file.parent}). {ANOTHER}"
    )


@pytest.mark.parametrize("read_only", ["its folder", "it"])
def test_what_cannot_be_written(read_only: str) -> None:
    """A user without root's rights meets a file, or a folder, that it can only read."""
    script = (
        "import os, sys\n"
        "from sqlalchemy.engine import make_url\n"
        "from app.start import StartError, create_database\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: create_database(make_url(f'sqlite:///{sys.argv[1]}'))\n"
        "except StartError as error: print(error, os.getuid(), sep='|')\n"
    )
    with tempfile.TemporaryDirectory() as name:  # tmp_path is in a folder that only its owner can enter
        folder = Path(name)
        file = folder / "items.db"
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE other (x)")
        file.chmod(0o444)
        folder.chmod(0o777 if read_only == "it" else 0o555)
        command = [sys.executable, "-c", script, str(file)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    message, _, user = done.stdout.rstrip("\n").partition("|")
    expected = f"The database file {file} cannot be used: user {user} cannot write to {read_only}. {ANOTHER}"
    assert (message, done.stderr) == (expected, "")


def test_a_database_server_that_cannot_be_reached() -> None:
    """The message has no password."""
    message = _fault("postgresql+psycopg://items:secret@127.0.0.1:1/items")
    assert message.startswith("The database postgresql://items:***@127.0.0.1:1/items cannot be used: connection failed")
    assert message.endswith("See DATABASE_URL.")


def test_the_welcome_is_one_block() -> None:
    """The URLs work in a browser on this machine, even if the service listens on all IP addresses."""
    assert welcome(["http://0.0.0.0:8000"], make_url("sqlite:////data/items.db")) == (
        "\n  The service is ready.\n\n"
        "  API            http://127.0.0.1:8000/\n"
        "  Documentation  http://127.0.0.1:8000/ui/\n"
        "  Database       /data/items.db\n"
        "  To stop        press Ctrl-C\n\n"
    )
    server = welcome(["http://[::]:80"], make_url("postgresql+psycopg://items:secret@db/items"))
    assert "  http://[::1]:80/ui/\n" in server
    assert "  postgresql://items:***@db/items\n" in server


def test_merging_leaves_one_file(tmp_path: Path) -> None:
    """After a process that did not close its connection, nothing is lost."""
    file = tmp_path / "items.db"
    script = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA journal_mode = WAL')\n"
        "c.execute('CREATE TABLE other (x)'); c.execute('INSERT INTO other VALUES (1)'); c.commit(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, str(file)], check=True)
    assert {path.name for path in tmp_path.iterdir()} == {"items.db", "items.db-wal", "items.db-shm"}
    merge_wal(make_url(f"sqlite:///{file}"))
    assert [path.name for path in tmp_path.iterdir()] == ["items.db"]
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT x FROM other").fetchall() == [(1,)]


def test_merging_creates_no_file(tmp_path: Path) -> None:
    """A start that failed leaves nothing, and a database that cannot be read does not delay the stop."""
    merge_wal(make_url(f"sqlite:///{tmp_path}/items.db"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "items.db").write_text("This is not a database. " * 50)
    merge_wal(make_url(f"sqlite:///{tmp_path}/items.db"))

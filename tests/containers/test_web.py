"""containers/web.py: the socket that an instance takes, and the database that it uses."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from containers import web
from tests.e2e.stack import ROOT, wait_until

LISTEN = (
    "import sys; from pathlib import Path; from containers.web import listen_for_nginx as f; f(Path(sys.argv[1])); "
)
"""The code of an instance."""


def start(folder: Path, then: str = "input()") -> subprocess.Popen[bytes]:
    """Start an instance that takes a socket, and ends when its standard input does."""
    return subprocess.Popen([sys.executable, "-c", LISTEN + then, str(folder)], cwd=ROOT, stdin=subprocess.PIPE)


def connects(path: Path) -> bool:
    """Return whether a program listens on the socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def test_each_instance_takes_the_first_free_socket(tmp_path: Path) -> None:
    """An instance that starts again, even after `kill -9`, takes its socket again."""
    instances = []
    for number in (1, 2):
        instances.append(start(tmp_path))
        wait_until(lambda number=number: connects(tmp_path / f"{number}.sock"), f"socket {number}")  # type: ignore[misc]
    instances[0].kill()
    instances[0].wait()
    assert not connects(tmp_path / "1.sock")
    instances.append(start(tmp_path))
    wait_until(lambda: connects(tmp_path / "1.sock"), "the first socket again")
    for instance in instances:
        instance.communicate()
    assert sorted(path.name for path in tmp_path.glob("*.sock")) == ["1.sock", "2.sock"]


def test_the_socket_outlasts_the_first_process(tmp_path: Path) -> None:
    """Gunicorn's workers inherit the lock: as long as one of them runs, no other instance takes the socket."""
    reader, writer = os.pipe()
    then = f"import os; os.read({reader}, 1) if os.fork() == 0 else os._exit(0)"
    command = [sys.executable, "-c", LISTEN + then, str(tmp_path)]
    subprocess.run(command, cwd=ROOT, pass_fds=[reader], check=True)
    other = start(tmp_path)
    wait_until(lambda: connects(tmp_path / "2.sock"), "the second socket")
    other.communicate()
    os.close(reader)
    os.close(writer)


def test_another_user_can_connect(tmp_path: Path) -> None:
    """Nginx is not the user of the service."""
    os.close(web.listen_for_nginx(tmp_path))
    assert (tmp_path / "1.sock").stat().st_mode & 0o777 == 0o666


def test_without_a_free_socket_the_start_ends_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says which folder is full, as JSON if the service's log is JSON."""

    def refuse(*_: object) -> None:
        raise BlockingIOError

    monkeypatch.setattr("fcntl.flock", refuse)
    monkeypatch.setenv("LOG_FORMAT", "json")
    with pytest.raises(SystemExit):
        web.listen_for_nginx(tmp_path)
    line = json.loads(capsys.readouterr().err)
    assert line.pop("time")
    message = f"The service cannot start. All sockets in {tmp_path} are in use."
    assert line == {"level": "error", "logger": "start", "request_id": None, "message": message}


@pytest.mark.parametrize("setting", ["", " ", None])
def test_the_database_is_sqlite_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str | None
) -> None:
    """An empty setting counts as not set."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    if setting is not None:
        monkeypatch.setenv("DATABASE_URL", setting)
    assert web.database_url(tmp_path / "database-url") == "sqlite:////data/items.db"


def test_the_setting_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of the user's own is used even if the stack has its own PostgreSQL."""
    written = tmp_path / "database-url"
    written.write_text("postgresql://items@/items\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/items")
    assert web.database_url(written) == "postgresql://db.example/items"


def test_a_stack_that_has_used_postgresql_never_falls_back_to_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While PostgreSQL does not run, the log says what to do."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    written = tmp_path / "database-url"
    written.write_text("postgresql://items@/items?host=/run/postgresql\n")
    assert web.database_url(written) == "postgresql://items@/items?host=/run/postgresql"
    assert "Start it with --profile postgres, or set DATABASE_URL=sqlite:////data/items.db." in capsys.readouterr().err
    (tmp_path / ".s.PGSQL.5432").touch()
    assert web.database_url(written) == "postgresql://items@/items?host=/run/postgresql"
    assert capsys.readouterr().err == ""


def test_a_command_on_the_database_needs_no_socket(tmp_path: Path) -> None:
    """`web.py db …` runs Flask's command with the database of the stack."""
    flask = tmp_path / "flask"
    flask.write_text('#!/bin/sh\necho "$DATABASE_URL" "$@"\n')
    flask.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "DATABASE_URL": "sqlite:////data/other.db"}
    command = [sys.executable, "-m", "containers.web", "db", "backup", "/data/backup.db"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "sqlite:////data/other.db --app app db backup /data/backup.db\n"


@pytest.mark.parametrize(
    ("setting", "published", "expected"),
    [
        ("", "127.0.0.1", "open"),
        ("", "[::1]", "open"),
        ("", "0.0.0.0", ""),  # noqa: S104  # not bound to
        ("", "", ""),
        ("secured", "127.0.0.1", "secured"),
        ("open", "0.0.0.0", "open"),  # noqa: S104  # not bound to
    ],
)
def test_access_is_open_without_a_decision_only_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, setting: str, published: str, expected: str
) -> None:
    """Empty stops the start of the service, because the container listens on all its IP addresses."""
    monkeypatch.setenv("ACCESS", setting)
    monkeypatch.setenv("HTTP_IP", published)
    assert web.access() == expected

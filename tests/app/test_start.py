"""Importing has no side effects, `app.app` is created once, and errors stop the start with one message."""

import json
import subprocess
import sys
from pathlib import Path

from app.settings import ROOT

OPEN_NOTHING = """
import sys
opened = []
sys.addaudithook(lambda event, args: event == "sqlite3.connect" and opened.append(str(args[0])))
import app
assert "app" not in vars(app), "made at import"
import app as again
first = app.app
assert again.app is first and app.flask_app is first.app
assert opened == [], opened
try:
    app.nothing
except AttributeError as error:
    assert str(error) == "module 'app' has no attribute 'nothing'"
"""


def _python(*arguments: str, cwd: Path = ROOT, **environ: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-W", "ignore", *arguments]
    paths = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=cwd, env=paths | environ, capture_output=True, text=True, timeout=120, check=False
    )


def test_importing_opens_nothing_and_the_application_is_created_once(tmp_path: Path) -> None:
    """Before a server starts it, there is no file, no folder and no connection."""
    ended = _python("-c", OPEN_NOTHING, cwd=tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/var/items.db")
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_importing_reads_no_settings() -> None:
    """Invalid settings are reported at the start, not at import."""
    assert _python("-c", "import app", PORT="x").returncode == 0


def test_invalid_settings_stop_the_start_with_one_message() -> None:
    """There is no traceback."""
    ended = _python("-c", "import app; app.app", PORT="x", LOG_LEVEL="loud")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == (
        "The service cannot start. These settings are invalid:\n"
        "  - PORT must be a whole number from 0 to 65535; it is 'x'\n"
        "  - LOG_LEVEL must be one of: debug, info, warning, error, critical; it is 'loud'\n"
    )


def test_gunicorns_configuration_stops_with_the_same_message() -> None:
    """Gunicorn's configuration reads the settings before the application does."""
    ended = _python("gunicorn.conf.py", PORT="x")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("The service cannot start. These settings are invalid:\n  - PORT must be ")


def test_gunicorns_configuration_follows_the_settings() -> None:
    """The port, the workers and the access log; the contract is compiled before the workers start."""
    script = (
        "import json, runpy; values = runpy.run_path('gunicorn.conf.py'); "
        "print(json.dumps([values[name] for name in ('bind', 'workers', 'preload_app', 'accesslog')]))"
    )
    served = _python("-c", script, HOST="::", PORT="9000", WEB_CONCURRENCY="3", ACCESS_LOG="off")
    assert json.loads(served.stdout) == ["[::]:9000", 3, True, None]
    assert json.loads(_python("-c", script).stdout) == ["127.0.0.1:8000", 2, True, "-"]


def test_flasks_command_line_works(tmp_path: Path) -> None:
    """`flask --app app routes` lists the pages without opening a database."""
    ended = _python("-m", "flask", "--app", "app", "routes", DATABASE_URL=f"sqlite:///{tmp_path}/items.db")
    assert ended.returncode == 0, ended.stderr
    assert "/ui/<name>" in ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_database_is_created_when_the_server_starts_the_application(tmp_path: Path) -> None:
    """`create_app()` creates neither the database nor its folder."""
    script = (
        "import os, app; application = app.app; file = os.environ['FILE']; assert not os.path.exists(file)\n"
        "with application.test_client() as client:\n"
        "    assert os.path.exists(file); assert client.get('/items').json() == []"
    )
    file = tmp_path / "var" / "items.db"
    ended = _python("-c", script, DATABASE_URL=f"sqlite:///{file}", FILE=str(file), LOG_LEVEL="error")
    assert ended.returncode == 0, ended.stderr

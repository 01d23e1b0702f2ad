#!/usr/bin/env -S python -IS
"""Starts the service in its container: on a socket that nginx finds, with the database of this stack.

`web.py COMMAND…` adds the sockets to Gunicorn's command and runs it. `web.py db …`, `web.py keys …` and
`web.py owners …` run a command on that database. `web.py --check` is the health check.

The sockets are open before Gunicorn has loaded the application, so connections wait in the meantime. Nothing but
Python's own library is imported, because that takes longer than the rest of this file.
"""

import fcntl
import json
import os
import socket
import sys
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

SOCKETS = Path("/run/web")
SQLITE = "sqlite:////data/items.db"
POSTGRESQL = Path("/run/postgresql/database-url")
BACKLOG = 2048  # as in gunicorn.conf.py


def main() -> None:
    """Replace this process with the command, or check the service that runs in this container."""
    port = int(os.environ.get("PORT") or 8000)
    if sys.argv[1:] == ["--check"]:
        check(port)
        return
    os.environ["DATABASE_URL"] = database_url(POSTGRESQL)
    os.environ["ACCESS"] = access()
    if sys.argv[1:2] in (["db"], ["keys"], ["owners"]):
        os.execvp("flask", ["flask", "--app", "app", *sys.argv[1:]])  # noqa: S606, S607 -- no shell; PATH is the image's
    bind = [f"--bind=fd://{number}" for number in (listen(port), listen_for_nginx(SOCKETS))]
    os.execvp(sys.argv[1], [*sys.argv[1:], *bind])  # noqa: S606 -- no shell is needed


def database_url(written: Path) -> str:
    """Return the database: that of the setting, or the stack's own PostgreSQL, or SQLite.

    PostgreSQL's container writes the file when it starts for the first time. The file stays until the volumes are
    deleted: a stack whose items are in PostgreSQL must not continue with an empty SQLite file.
    """
    if url := os.environ.get("DATABASE_URL", "").strip():
        return url
    if not written.exists():
        return SQLITE
    if not any(written.parent.glob(".s.PGSQL.*")):
        log(
            "The items of this stack are in PostgreSQL, which is not running. Start it with --profile postgres, "
            f"or set DATABASE_URL={SQLITE}."
        )
    return written.read_text(encoding="utf-8").strip()


def access() -> str:
    """Return the setting; `open` without one if the stack is published for this machine only.

    The container itself always listens on all its IP addresses. Empty stops the start there: see docs/access.md.
    """
    is_local = os.environ.get("HTTP_IP", "").startswith(("127.", "[::1]"))
    return os.environ.get("ACCESS", "").strip() or ("open" if is_local else "")


def listen(port: int) -> int:
    """Listen on the port, for the health check and for use without nginx."""
    return _inheritable(socket.create_server((os.environ.get("HOST") or "0.0.0.0", port), backlog=BACKLOG))  # noqa: S104


def listen_for_nginx(folder: Path) -> int:
    """Listen on the first socket 1.sock, 2.sock, … of the folder that no other instance uses.

    The lock ends with the last process that has inherited it, however it ends.
    """
    for number in range(1, 100):
        lock = os.open(folder / f"{number}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        os.set_inheritable(lock, True)  # noqa: FBT003 -- it has no keyword
        path = folder / f"{number}.sock"
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        path.chmod(0o666)  # nginx is another user
        listener.listen(BACKLOG)
        return _inheritable(listener)
    log(f"The service cannot start. All sockets in {folder} are in use.")
    sys.exit(1)


def check(port: int) -> None:
    """Succeed if the service can serve."""
    connection = HTTPConnection("127.0.0.1", port, timeout=4)
    connection.request("GET", "/readyz")
    sys.exit(connection.getresponse().status != 200)


def log(message: str) -> None:
    """Log an error, in the format of the service's log."""
    if os.environ.get("LOG_FORMAT", "").strip().lower() == "json":
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        message = json.dumps(
            {"time": time, "level": "error", "logger": "start", "request_id": None, "message": message},
        )
    sys.stderr.write(f"{message}\n")


def _inheritable(listener: socket.socket) -> int:
    listener.set_inheritable(True)
    return listener.detach()


if __name__ == "__main__":
    main()

"""`make dev`: serves with one worker, and starts again whenever a file of the service is saved.

This process never imports the service, so no mistake in it can end this one. It holds the listening socket, and gives
it to the process that serves; clients that connect in between wait. While the service cannot be loaded, this process
responds to every request with 503 and waits for the next change.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from tools.dev.unavailable import unavailable

ROOT = Path(__file__).resolve().parents[2]
WATCHED = ("app", "contract", "db", "handlers", "openapi", "gunicorn.conf.py")
POLL_SECONDS = 0.2
STOP_SECONDS = 10  # more than the graceful timeout in serve.py: a request that is running is not lost
Snapshot = dict[str, tuple[int, int, int]]


def snapshot() -> Snapshot:
    """Return all watched files, with what changes when one is saved. Comparing two misses no change in between."""
    found = {}
    for name in WATCHED:
        for path in _files(ROOT / name):
            try:
                status = path.stat()
            except OSError:
                continue  # it has just been removed
            found[str(path.relative_to(ROOT))] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name != "__pycache__"]
        # Editors write beside the file at first: .items.py.swp, #items.py#, items.py~, 4913 (Vim)
        yield from (Path(folder, name) for name in names if name[0] not in ".#" and name[-1] != "~" and "." in name)


def changed(before: Snapshot, after: Snapshot) -> list[str]:
    """Return the names of the files that differ."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def listen() -> socket.socket:
    """Return the listening socket. HOST and PORT are read here again, because `app.settings` may be broken."""
    host, port = os.environ.get("HOST", "").strip() or "127.0.0.1", os.environ.get("PORT", "").strip() or "8000"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family, backlog=2048)
    except ValueError:
        sys.exit(f"PORT must be a whole number; it is {port!r}")
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        sys.exit(f"Cannot listen on {host}:{port}: {reason}. Choose another port: PORT=8001 make dev")


@contextmanager
def child(listener: socket.socket) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the service in a process of its own, which ends with the block."""
    number = listener.fileno()
    process = subprocess.Popen(  # noqa: S603 -- this interpreter and a module of this project
        [sys.executable, "-m", "tools.dev.serve", str(number)], cwd=ROOT, pass_fds=[number]
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def say(text: str) -> None:
    """Write a line of this process's own."""
    print(f"dev: {text}", file=sys.stderr, flush=True)


def wait_for_change(before: Snapshot) -> list[str]:
    """Return the names of the files that have changed, as soon as there are some."""
    while not (names := changed(before, snapshot())):
        time.sleep(POLL_SECONDS)
    return names


def serve(listener: socket.socket) -> list[str]:
    """Serve until a file changes. Return the names of the changed files."""
    before = snapshot()
    with child(listener) as process:
        while process.poll() is None:
            if names := changed(before, snapshot()):
                return names
            time.sleep(POLL_SECONDS)
    say("every request is a 503 until you save a change that fixes this")
    with unavailable(listener):
        return wait_for_change(before)


def main() -> NoReturn:
    """Serve for ever."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # SIGHUP: the terminal is closed
        signal.signal(number, lambda *_: sys.exit(0))
    with listen() as listener:
        try:
            while True:
                names = serve(listener)
                say(f"{', '.join(names[:3])}{' and others' if len(names) > 3 else ''} changed: starting again")
        except KeyboardInterrupt:
            sys.exit(0)


if __name__ == "__main__":
    main()

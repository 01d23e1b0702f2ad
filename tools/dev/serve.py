"""Serves on the listening socket with this number, as `make run` does, but with one worker. `make dev` runs this.

If the service cannot be loaded, the process ends with one short message instead of a traceback.
"""

import runpy
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def load() -> None:
    """Load the application. Anything wrong with it ends the process with a message."""
    try:
        import app

        app.app  # noqa: B018 -- makes it
        runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    except Exception as error:  # noqa: BLE001 -- whatever it is, the message says where it was raised
        sys.exit(f"The service cannot start.\n{_described(error)}")


def _described(error: Exception) -> str:
    """Return the message of an exception. `contract` cannot be imported here: it may be what is broken."""
    try:
        diagnostics = runpy.run_path(str(ROOT / "contract" / "diagnostics.py"), run_name="diagnostics")
        return str(diagnostics["shown"](diagnostics["of_exception"](error, ROOT)))
    except Exception:  # noqa: BLE001 -- then it is the module itself that is broken
        return "".join(traceback.format_exception(error, limit=-1))


if __name__ == "__main__":
    (number,) = sys.argv[1:]
    load()
    from app.server import Server

    sys.argv[1:] = ["--bind", f"fd://{number}", "--workers", "1", "--graceful-timeout", "5"]
    Server("%(prog)s [OPTIONS]", prog="make dev").run()

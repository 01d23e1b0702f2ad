"""Installs locked packages into a virtual environment, with progress: `make` runs it before commands that need them.

It runs on the user's own Python, which may be too old or incomplete, and has only the standard library.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

OLDEST = (3, 11)
UNFINISHED = "unfinished"  # a file in the environment while it is being installed
MADE_IN = "made-in"  # a file in it with its path: programs in bin/ contain that path
# Modules that some systems leave out of Python, and what to install there.
PARTS = {
    "ensurepip": "on Debian and Ubuntu: sudo apt-get install python3-venv",
    "venv": "on Debian and Ubuntu: sudo apt-get install python3-venv",
    "_ssl": "build Python again after: sudo apt-get install libssl-dev",
    "_sqlite3": "build Python again after: sudo apt-get install libsqlite3-dev",
}


def main() -> None:
    """Install, or end with a message that says what to do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", type=Path)
    parser.add_argument("requirements", type=Path)
    parser.add_argument("--optional", type=Path, help="packages that need a C compiler, and may be missing")
    arguments = parser.parse_args()
    check_python()
    environment = arguments.environment.absolute()
    try:
        if not usable(environment):
            create(environment)
        (environment / UNFINISHED).touch()
        install(environment, arguments.requirements)
        if arguments.optional:
            build(environment, arguments.optional)
        (environment / UNFINISHED).unlink()
    except KeyboardInterrupt:
        sys.exit(f"\nInterrupted. The next call creates {environment.name}/ again.")


def check_python() -> None:
    """End if this Python is too old, or lacks a part."""
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:3]))
        newer = [f"python3.{minor}" for minor in range(20, OLDEST[1] - 1, -1)]
        found = next((name for name in newer if runs(name)), "python3.11")
        sys.exit(
            f"Python 3.11 or newer is required, and {sys.executable} is {version}. "
            f"Choose another with PYTHON=…, such as PYTHON={found}."
        )
    for module, remedy in PARTS.items():
        if importlib.util.find_spec(module) is None:
            sys.exit(f"{sys.executable} has no module {module}; {remedy}.")


def runs(python: str) -> bool:
    """Return whether this program is a Python that runs: pyenv has programs for versions that are not enabled."""
    return quiet([python, "-c", ""])


def quiet(command: list[str]) -> bool:
    """Run a command without its output. Return whether it exists and succeeds."""
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return False
    return done.returncode == 0


def usable(environment: Path) -> bool:
    """Return whether the environment is complete, in its place, and has a Python and a pip that run."""
    made_in = environment / MADE_IN
    return (
        made_in.is_file()
        and made_in.read_text(encoding="utf-8") == str(environment)
        and not (environment / UNFINISHED).exists()
        and quiet([str(environment / "bin" / "python"), "-m", "pip", "--version"])
    )


def create(environment: Path) -> None:
    """Create the environment, in place of one that is not usable."""
    with Progress(f"Create {environment.name}/ with Python {sys.version.split()[0]}"):
        shutil.rmtree(environment, ignore_errors=True)
        command = [sys.executable, "-m", "venv", str(environment)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{environment} could not be created:\n{done.stdout}")
    (environment / MADE_IN).write_text(str(environment), encoding="utf-8")


def install(environment: Path, requirements: Path) -> None:
    """Install all packages, or end with pip's errors."""
    count = len(re.findall(r"^\S+==", requirements.read_text(encoding="utf-8"), re.MULTILINE))
    command, output, done = pip(environment, requirements), [], 0
    with Progress(f"Install {count} packages into {environment.name}/") as progress:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in process.stdout or ():
            output.append(line)
            if line.startswith(("Collecting", "Processing", "Requirement already satisfied")):
                done += 1
                progress.step(f"{min(done, count)} of {count} found", print_it=done % 20 == 0)
            elif line.startswith("Installing"):
                progress.step("unpack", print_it=True)
        failed = process.wait()
    if failed:
        errors = [line for line in output if line.startswith("ERROR")] or output[-10:]
        sys.exit(f"The packages could not be installed. pip says:\n{''.join(errors)}")


def build(environment: Path, requirements: Path) -> None:
    """Install what needs a C compiler, if there is one."""
    with Progress("Build the C parser for HTTP"):
        built = quiet(pip(environment, requirements))
    if not built:
        print("It could not be built (no C compiler, or no python3-dev): Gunicorn parses HTTP in Python, more slowly.")


def pip(environment: Path, requirements: Path) -> list[str]:
    """Return the command that installs a file of requirements."""
    command = [str(environment / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
    return [*command, "--require-hashes", "--requirement", str(requirements)]


class Progress:
    """Shows what is done and for how long: on a terminal one line that changes, elsewhere a line for each step."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._step = ""
        self._start = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick)

    def step(self, text: str, *, print_it: bool) -> None:
        """Set the present step. It is always shown on a terminal, and elsewhere if `print_it`."""
        self._step = f": {text}"
        if print_it and not sys.stdout.isatty():
            self._print("\n")

    def __enter__(self) -> Progress:  # noqa: PYI034 -- Self is new in Python 3.11
        self._print("" if sys.stdout.isatty() else "\n")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        if sys.stdout.isatty():
            self._step = ""
            self._print("\n")

    def _tick(self) -> None:
        while not self._ended.wait(0.5):
            if sys.stdout.isatty():
                self._print("")

    def _print(self, end: str) -> None:
        clear = "\r\x1b[K" if sys.stdout.isatty() else ""
        seconds = time.monotonic() - self._start
        after = f", {seconds:.0f} s" if seconds > 1 else ""
        print(f"{clear}{self._what}{self._step}{after}", end=end, flush=True)


if __name__ == "__main__":
    main()

"""Runs the tests with each supported Python, in an environment of its own: `make test-pythons`.

`PYTHONS` in the environment names the versions, if not all.
"""

import os
import subprocess
import sys
from pathlib import Path

from tools.install import runs

SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
FOLDER = Path(".venv-pythons")


def find(version: str) -> str | None:
    """Return the program of this version: from PATH, or the newest that pyenv has installed."""
    if runs(f"python{version}"):
        return f"python{version}"
    installed = (Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python{version}")
    return next((str(python) for python in sorted(installed, reverse=True) if runs(str(python))), None)


def test(python: str, version: str, arguments: list[str]) -> str:
    """Install the test tools for this Python, run the tests, and return the result in a word or two."""
    environment = FOLDER / version
    for requirements in ("requirements/run.txt", "requirements/dev.txt"):
        optional = ["--optional", "requirements/fast.txt"] if requirements.endswith("run.txt") else []
        done = subprocess.run([python, "tools/install.py", str(environment), requirements, *optional], check=False)
        if done.returncode:
            return "not installed"
    command = [str(environment / "bin" / "python"), "-m", "pytest", "--ignore=tests/e2e", "--numprocesses=auto"]
    return "failed" if subprocess.run([*command, *arguments], check=False).returncode else "passed"


def main() -> None:
    """Test them all, then print the result of each."""
    results = {}
    for version in os.environ.get("PYTHONS", " ".join(SUPPORTED)).split():
        python = find(version)
        print(f"\n== Python {version}", flush=True)
        results[version] = test(python, version, sys.argv[1:]) if python else "skipped: not on PATH, nor in ~/.pyenv"
    print()
    for version, result in results.items():
        print(f"Python {version}: {result}")
    sys.exit(not all(result == "passed" or result.startswith("skipped") for result in results.values()))


if __name__ == "__main__":
    main()

"""Runs the commands of a page as a reader does: one after the other, in one shell."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def run(commands: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float = 900) -> list[str]:
    """Return what each command prints to stdout and stderr. All have to exit with 0.

    Variables and an activated virtual environment last until the end.
    """
    script = "\n".join(["set -euo pipefail", *(f"{command}\nprintf '\\0'" for command in commands)])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    *printed, rest = done.stdout.split("\0")
    if done.returncode != 0:
        raise AssertionError(f"{commands[len(printed)]}\nended with {done.returncode}:\n{rest}")
    return printed

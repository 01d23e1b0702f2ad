"""`python -m tools.contract_diff BASE FILE` compares FILE with itself as it was at BASE (any name that Git knows).

It fails if a change breaks clients and `info.version` has not taken a step in its first number (https://semver.org).
"""

import re
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

from tools.contract_diff.changes import Change
from tools.contract_diff.documents import Contract, UnreadableError, load
from tools.contract_diff.operations import changes


class GitError(Exception):
    """There is no such version of the file."""


def at_revision(base: str, file: Path) -> bytes:
    """Read a file as it was at `base`. Raises `GitError`."""
    command = ["git", "-C", str(file.parent), "show", "--end-of-options", f"{base}:./{file.name}"]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 -- Git, and no shell
    if done.returncode:
        raise GitError(done.stderr.decode(errors="replace").strip())
    return done.stdout


def old_contract(base: str, name: str) -> Contract:
    """The contract as it was at `base`, with the files beside it that it refers to. Raises `GitError`."""

    def read(other: str) -> bytes | None:
        try:
            return at_revision(base, Path(other))
        except (GitError, OSError, ValueError):
            return None

    return Contract(name, load(at_revision(base, Path(name))), read, base)


def new_contract(name: str) -> Contract:
    """The contract as it is now."""

    def read(other: str) -> bytes | None:
        try:
            return Path(other).read_bytes()
        except (OSError, ValueError):
            return None

    return Contract(name, load(Path(name).read_bytes()), read)


def asks_for_major(found: list[Change], old: str, new: str) -> bool:
    """Whether changes from version `old` to `new` break clients, and the version's first number does not say so."""
    return any(change.breaks for change in found) and _major(new) <= _major(old)


def _major(version: str) -> int:
    number = re.match(r"\d+", version)
    return int(number[0]) if number else 0


def main(base: str, name: str) -> int:
    """Print the changes; 1 if clients break and the version does not say so, 2 if there is nothing to compare with."""
    try:
        old, new = old_contract(base, name), new_contract(name)
        found = changes(old, new)
    except (GitError, OSError, UnreadableError, RecursionError) as error:
        print(f"{name} cannot be compared with {base}: {error}", file=sys.stderr)
        return 2
    versions = [str(contract.root["info"]["version"].value) for contract in (old, new)]
    print(*found, sep="\n", end="\n" if found else "")
    breaking = sum(change.breaks for change in found)
    print(f"{name}: {len(found)} changes since {base} ({versions[0]}, now {versions[1]}), {breaking} of them breaking.")
    if any(change.refused for change in found):
        print("Clients were told that they have until the date in x-sunset. Keep it.")
        return 1
    if asks_for_major(found, versions[0], versions[1]):
        print(f"A change that breaks clients asks for info.version {_major(versions[0]) + 1}.0.0.")
        return 1
    return 0


def arguments() -> tuple[str, str]:
    """What the command line says."""
    parser = ArgumentParser(prog="python -m tools.contract_diff", description="Say which changes break clients.")
    parser.add_argument("base", help="the revision to compare with, such as HEAD~1")
    parser.add_argument("file", help="the contract")
    found = parser.parse_args()
    return found.base, found.file


if __name__ == "__main__":
    sys.exit(main(*arguments()))

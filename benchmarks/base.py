"""What the working tree is compared with: a commit of this repository, in a temporary checkout, or a peer."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.data import SCRATCH
from benchmarks.registry import CHECKOUT, COMPARABLE, SERVICE, Contestant

MAIN = ("origin/main", "main")
"""The branches that a change is compared with, the first that exists."""


def default() -> str:
    """Return the commit where the branch left the main branch, or the commit before HEAD if that is HEAD itself."""
    known = [name for name in MAIN if _git("rev-parse", "--verify", "--quiet", name, fails=True)]
    fork = _git("merge-base", "HEAD", known[0]) if known else _git("rev-parse", "HEAD")
    return _git("rev-parse", "HEAD~1") if fork == _git("rev-parse", "HEAD") else fork


@contextmanager
def contestant(base: str) -> Iterator[Contestant]:
    """Return the peer with this key, or else check out this commit and return the service of it."""
    for peer in COMPARABLE:
        if peer.key == base:
            yield peer
            return
    with commit(base) as service:
        yield service


@contextmanager
def commit(name: str) -> Iterator[Contestant]:
    """Check out a commit, return its service, and remove the checkout afterwards.

    It runs with the libraries of the working tree.
    """
    short = _git("rev-parse", "--short", f"{name}^{{commit}}")
    SCRATCH.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="base-", dir=SCRATCH) as folder:
        archive = subprocess.run(["git", "archive", short], cwd=CHECKOUT, capture_output=True, check=True)  # noqa: S603, S607
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        yield replace(SERVICE, key="base", label=f"commit {short}", folder=Path(folder))


def revision() -> str:
    """Return the commit of the working tree, and whether its files differ from it."""
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return _git("rev-parse", "HEAD") + (", with changes" if changed else "")


def _git(*arguments: str, fails: bool = False) -> str:
    done = subprocess.run(["git", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode and not fails:
        raise SystemExit(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()

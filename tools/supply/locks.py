"""Reads the files of `requirements/`: names, versions and hashes."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
RUNTIME = ("run.txt", "fast.txt")
"""The locks of what the service runs with. The others are for developers and CI."""
_PACKAGE = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>[^\\\n]+?))? \\\n(?P<hashes>(?: +--hash=.*\n?)+)",
    re.MULTILINE,
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})\b")


@dataclass(frozen=True)
class Package:
    """A locked package. `marker` says on which systems it is installed; an empty one: on all."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    @property
    def purl(self) -> str:
        """The package URL, which identifies it in every list."""
        return f"pkg:pypi/{normal(self.name)}@{self.version}"


def normal(name: str) -> str:
    """Return the name in the spelling that compares equal (packaging.python.org, "Name normalization")."""
    return re.sub(r"[-_.]+", "-", name).lower()


def packages(lock: Path) -> list[Package]:
    """Read a lock. Every line of it must be understood."""
    text = lock.read_text(encoding="utf-8")
    rest = _PACKAGE.sub("", text)
    if rest.strip():
        raise ValueError(f"{lock.name} has lines that are not a package with hashes: {rest.strip()[:200]}")
    return [
        Package(found["name"], found["version"], found["marker"] or "", tuple(_HASH.findall(found["hashes"])))
        for found in _PACKAGE.finditer(text)
    ]

"""Nothing is installed that is not locked with its hash: not by `make`, not by CI, not in the images."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from app.settings import ROOT
from tests.docs.markdown import read
from tools.supply.locks import REQUIREMENTS, packages

LOCKS = sorted(REQUIREMENTS.glob("*.txt"))
INSTALLERS = ["Makefile", "Dockerfile", ".ci/run", *(f"tools/{path.name}" for path in (ROOT / "tools").glob("*.py"))]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_hashes_and_no_url(lock: Path) -> None:
    """Each line is understood: a name, one version, and at least one SHA-256."""
    locked = packages(lock)
    assert locked
    assert [package.name for package in locked if not package.hashes] == []
    assert "//" not in lock.read_text(encoding="utf-8"), "a lock names no registry and no URL"


def test_every_npm_package_has_a_hash() -> None:
    """`npm ci` then refuses anything else. The lock names no registry."""
    locked = json.loads(read("package-lock.json"))["packages"]
    assert len(locked) > 1
    missing = [path for path, one in locked.items() if path and not one.get("integrity", "").startswith("sha512-")]
    assert [path for path in missing if not locked[path].get("inBundle")] == []
    assert not any("resolved" in one for one in locked.values())


@pytest.mark.parametrize("name", INSTALLERS)
def test_every_installation_requires_hashes(name: str) -> None:
    """Pip gets `--require-hashes`, npm is `npm ci`, and no other installer of packages is called."""
    code = re.sub(r"^\s*#.*$", "", read(name), flags=re.MULTILINE).replace("\\\n", " ")
    for line in code.splitlines():
        if re.search(r"\bpip[\"', ].*\binstall\b", line) and name != "tools/install.py":
            assert "--require-hashes" in line, line
        assert not re.search(
            r"\bnpm[\"', ]+(install|i|add|update|exec)\b|\buv (pip install|run|tool)\b|\buvx\b", line
        ), line
        assert not re.search(r"\bnpx (?!--no-install\b)", line), line
        assert not re.search(r"\b(curl|wget)\b.*\|\s*(ba)?sh\b", line), line


def test_the_installer_requires_hashes() -> None:
    """`tools/install.py` has one call of pip, for `make` and for CI."""
    code = read("tools/install.py")
    assert code.count('"install"') == 1
    assert '"--require-hashes"' in code


def test_every_group_of_dependencies_is_locked() -> None:
    """By `make lock`, which is itself locked."""
    groups = tomllib.loads(read("pyproject.toml"))["dependency-groups"]
    assert {path.stem for path in LOCKS} == {"run", *groups}
    (recipe,) = re.findall(r"^lock: .*\n((?:\t.*\n)+)", read("Makefile"), re.MULTILINE)
    assert set(re.findall(r"requirements/(\w+)\.txt$", recipe, re.MULTILINE)) == {"run", *groups}

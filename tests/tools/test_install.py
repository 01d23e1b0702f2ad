"""`tools/install.py` makes a usable environment, again after an interruption or a move, and ends with one sentence."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import ROOT
from tools import install


def _install(environment: Path, requirements: Path) -> str:
    """Run the installer without a network: these requirements are empty or not on this machine."""
    command = [sys.executable, str(ROOT / "tools" / "install.py"), str(environment), str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An environment with nothing in it, and its requirements."""
    folder = tmp_path_factory.mktemp("with space and ü")
    requirements = folder / "requirements.txt"
    requirements.write_text("# nothing\n")
    printed = _install(folder / ".venv", requirements)
    assert printed.startswith(f"Create .venv/ with Python {sys.version.split()[0]}")
    assert "Install 0 packages into .venv/" in printed
    return folder / ".venv", requirements


def test_a_complete_environment_is_used_again(made: tuple[Path, Path]) -> None:
    """It is not created a second time."""
    assert install.usable(made[0])
    assert "Create" not in _install(*made)


def test_an_interrupted_or_moved_environment_is_not_usable(made: tuple[Path, Path]) -> None:
    """Nor is one without pip, or whose Python is gone."""
    environment = made[0]
    (environment / install.UNFINISHED).touch()
    assert not install.usable(environment)
    (environment / install.UNFINISHED).unlink()
    moved = environment.rename(environment.with_name("moved"))
    assert not install.usable(moved)
    moved.rename(environment)
    assert install.usable(environment)
    python = environment / "bin" / "python"
    gone = python.rename(python.with_name("gone"))
    assert not install.usable(environment)
    gone.rename(python)


def test_an_unusable_environment_is_created_again(made: tuple[Path, Path]) -> None:
    """Nothing of it stays."""
    environment, requirements = made
    (environment / install.UNFINISHED).touch()
    (environment / "left").touch()
    assert _install(environment, requirements).startswith("Create .venv/")
    assert install.usable(environment)
    assert not (environment / "left").exists()


def test_what_pip_cannot_install_ends_with_its_errors(made: tuple[Path, Path], tmp_path: Path) -> None:
    """There is no traceback, and the environment is not used as if it were complete."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("none @ file:///none.whl --hash=sha256:" + "0" * 64 + "\n")
    printed = _install(made[0], requirements)
    assert "The packages could not be installed. pip says:\nERROR: " in printed
    assert "Traceback" not in printed
    assert not install.usable(made[0])


def test_an_old_python_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names a Python that would do."""
    monkeypatch.setattr(sys, "version_info", (3, 10, 13, "final", 0))
    monkeypatch.setattr(install, "runs", lambda name: name == "python3.12")
    with pytest.raises(SystemExit) as ended:
        install.check_python()
    assert ended.value.code == (
        f"Python 3.11 or newer is required, and {sys.executable} is 3.10.13. "
        "Choose another with PYTHON=…, such as PYTHON=python3.12."
    )


@pytest.mark.parametrize(("part", "remedy"), install.PARTS.items())
def test_a_missing_part_of_python_is_one_sentence(monkeypatch: pytest.MonkeyPatch, part: str, remedy: str) -> None:
    """Debian's python3 has no ensurepip; a Python built without headers has no ssl or sqlite3."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == part else find(name))
    with pytest.raises(SystemExit) as ended:
        install.check_python()
    assert ended.value.code == f"{sys.executable} has no module {part}; {remedy}."


def test_the_installer_runs_on_old_pythons() -> None:
    """It compiles with the syntax of Python 3.7, so that these get the sentence and not a syntax error."""
    source = (ROOT / "tools" / "install.py").read_text(encoding="utf-8")
    assert ast.parse(source, feature_version=(3, 7)).body

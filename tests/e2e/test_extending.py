"""A second resource is what docs/extending.md says, no more: the page is followed in a copy of the project."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.mutations import copy

from app.settings import ROOT
from tests.extending import commands, lines, steps

MAKE = "make --silent --no-print-directory"  # says the same below another make
MADE = (".venv", ".venv-tools", "node_modules")
pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv-tools" / "ready").exists(), reason="the contract's lint is not set up (make .venv-tools/ready)"
)


def _run(command: str, folder: Path) -> str:
    environ = {**os.environ, "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    bash = ["bash", "-euo", "pipefail", "-c", command]
    done = subprocess.run(bash, cwd=folder, env=environ, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, committed, in which everything is written that the page says; the tools are ours."""
    folder = tmp_path_factory.mktemp("extended")
    copy(folder)
    git = "git -c user.name=x -c user.email=x@example.com"
    _run(f"{git} init -q && {git} add . && {git} commit -q --no-gpg-sign -m x", folder)
    for name in MADE:
        (folder / name).symlink_to(ROOT / name)
    for step in steps():
        step.take(folder)
    print(f"A second resource takes {lines()} lines")
    return folder


@pytest.mark.parametrize("command", commands(), ids=lambda command: " ".join(command.split()[:2]))
def test_the_commands_of_the_page_pass(extended: Path, command: str) -> None:
    """As they stand there."""
    print(_run(command, extended)[-2000:])


def test_a_new_resource_breaks_no_client(extended: Path) -> None:
    """Every change is one that the page makes."""
    found = [line.split()[1] for line in _run(f"{MAKE} contract-diff BASE=HEAD", extended).splitlines()]
    assert found == ["compatible"] * 4 + ["4"]


def test_what_is_written_passes_the_lint_of_code(extended: Path) -> None:
    """Its style, its form and its types."""
    _run(".venv/bin/ruff check . && .venv/bin/ruff format --check .", extended)
    written = " ".join(step.file for step in steps() if step.file.endswith(".py"))
    _run(f".venv/bin/mypy --follow-imports=silent {written}", extended)

"""A new operation and a new resource are what docs/extending.md says, no more: the page is followed in a copy."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from app.settings import ROOT
from tests.docs.markdown import blocks, read
from tests.extending import commands, copy, operation, resource
from tests.resources import resources

GADGET = ROOT / "tests" / "tools" / "gadget.yaml"
SERVED = """
from pathlib import Path
from starlette.testclient import TestClient
from app import create_app
from app.settings import Settings
with TestClient(create_app(Settings.from_environ({"DATABASE_URL": f"sqlite:///{Path.cwd()}/items.db"}))) as client:
    print(client.get("/greeting?name=Ada").text.strip(), client.get("/greeting").status_code)
"""
CONFORMANCE = '''"""The new resources keep the contract, whatever Schemathesis sends to nginx."""

from pathlib import Path

import schemathesis

from tests.e2e.stack import edge, service
from tools.conformance.configuration import configuration
from tools.conformance.engine import run


def test_nginx_and_gunicorn_serve_the_new_resources_as_the_contract_says(tmp_path: Path) -> None:
    """All phases and all checks."""
    with service(tmp_path, ACCESS_LOG="off") as gunicorn, edge(tmp_path / "edge", gunicorn.port) as nginx:
        url = f"http://127.0.0.1:{nginx.port}/openapi.json"
        run(schemathesis.openapi.from_url(url, config=configuration()), max_examples=10)
'''
PREFIX = "other_" if {"tags", "gadgets"} & resources().keys() else ""
"""In a project that has tags already, the new resources are other tags and other gadgets."""
TOOLS = (".venv", ".venv-tools", "node_modules")
needs_tools = pytest.mark.skipif(
    not (ROOT / ".venv-tools" / "ready").exists(), reason="the contract's lint is not set up (make .venv-tools/ready)"
)


def _renamed(text: str) -> str:
    """The schema or the command with the names of the new resources."""
    text = text.replace("Tag:", f"{PREFIX.rstrip('_').capitalize()}Tag:")
    text = text.replace("Gadget:", f"{PREFIX.rstrip('_').capitalize()}Gadget:")
    return text.replace("NAME=", f"NAME={PREFIX}").replace("references: gadgets", f"references: {PREFIX}gadgets")


def _run(command: str, folder: Path) -> str:
    environ = {**os.environ, "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    # The tools of the copy are links: make must not set them up again.
    command = command.replace("make ", "make -o .venv/runtime -o .venv/dev -o .venv-tools/ready ")
    bash = ["bash", "-euo", "pipefail", "-c", command]
    done = subprocess.run(bash, cwd=folder, env=environ, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_an_operation_serves_with_what_the_page_says_to_write(tmp_path: Path) -> None:
    """And what violates the contract is 400."""
    copy(tmp_path)
    for step in operation():
        step.take(tmp_path)
    assert _run(f"{ROOT}/.venv/bin/python -c '{SERVED}'", tmp_path) == '"Hello, Ada!" 400\n'


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed copy with two resources more: the page's, and one with every type. Nothing else is edited."""
    folder = tmp_path_factory.mktemp("extended")
    copy(folder)
    git = "git -c user.name=x -c user.email=x@example.com"
    _run(f"{git} init -q && {git} add . && {git} commit -q --no-gpg-sign -m x", folder)
    for name in TOOLS:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    assert commands()[0] == "make resource NAME=tags"
    for schema, command in (
        (resource().text, commands()[0]),
        (GADGET.read_text("utf-8"), "make resource NAME=gadgets"),
    ):
        replace(resource(), text=_renamed(schema)).take(folder)
        print(_run(_renamed(command), folder))
    return folder


def test_their_tests_and_those_of_every_resource_pass(extended: Path) -> None:
    """Contract, tables, migrations, statements and handlers."""
    tests = "tests/openapi/test_{tables,rules,examples}.py tests/db/test_{statements,migrations}.py"
    tests += f" tests/handlers/test_{PREFIX}{{tags,gadgets}}.py"
    print(_run(f".venv/bin/python -m pytest -q -n 2 {tests}", extended)[-300:])


def test_two_principals_cannot_reach_the_rows_of_each_other(extended: Path) -> None:
    """With access control, the new resources have owners; nothing was written for that."""
    printed = _run(".venv/bin/python -m pytest -q -s -n 0 tests/app/test_two_principals.py", extended)
    (counts,) = [line for line in printed.splitlines() if line.startswith("Two principals: ")]
    print(counts)
    assert f" of {len(resources()) + 2} resources" in counts


def test_a_change_of_the_tables_is_a_migration(extended: Path, tmp_path: Path) -> None:
    """With the command of the page, after an index was added."""
    shutil.copytree(extended, tmp_path, dirs_exist_ok=True, symlinks=True)
    with (tmp_path / "db/schema.py").open("a", encoding="utf-8") as tables:
        tables.write('\nIndex("items_by_description", items.c.description, items.c.id)\n')
    (command,) = [each for each in commands() if each.startswith("make migration")]
    print(_run(command, tmp_path))
    print(_run(".venv/bin/python -m pytest -q tests/db/test_migrations.py", tmp_path)[-300:])


@pytest.mark.skipif(not Path("/usr/lib/postgresql").exists(), reason="PostgreSQL is not installed")
def test_their_migrations_work_on_postgresql(extended: Path) -> None:
    """They make the tables of the code there, too."""
    print(_run(".venv/bin/python -m pytest -q -n 2 tests/e2e/test_migrations.py", extended)[-300:])


def test_their_code_passes_the_lint(extended: Path) -> None:
    """Its style, its form and its types."""
    _run(".venv/bin/ruff check . && .venv/bin/ruff format --check .", extended)
    written = f"{{db,handlers}}/{PREFIX}{{tags,gadgets}}.py tests/handlers/test_{PREFIX}{{tags,gadgets}}.py"
    _run(f".venv/bin/mypy db/schema.py db/migrations {written}", extended)


@needs_tools
def test_their_contract_passes_the_lint(extended: Path) -> None:
    """Spectral and Redocly, as docs/contract.md runs them."""
    assert "make lint-contract\n" in blocks(read("docs/contract.md"), "sh")
    _run("make lint-contract", extended)


def test_they_break_no_client(extended: Path) -> None:
    """Every change of the contract is compatible."""
    assert "make contract-diff BASE=HEAD" in commands()
    assert "make contract-diff BASE=HEAD\n" in blocks(read("docs/contract.md"), "sh")
    _run("make contract-diff BASE=HEAD", extended)


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed (apt-get install nginx)")
def test_they_keep_the_contract_behind_nginx(extended: Path) -> None:
    """Whatever Schemathesis sends."""
    (extended / "tests/e2e/test_extended.py").write_text(CONFORMANCE, "utf-8")
    print(_run(".venv/bin/python -m pytest -q -s tests/e2e/test_extended.py", extended)[-400:])

"""Each folder imports only what the table in ARCHITECTURE.md allows."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from app.settings import ROOT
from tests.docs.markdown import read, spans, table

OWN = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"tests", "benchmarks"}
"""The project's own packages: the rooms, and what is beside them."""


@dataclass(frozen=True)
class Rule:
    """What one folder may import besides itself and Python's standard library."""

    room: str
    modules: tuple[str, ...]
    any_library: bool

    def allows(self, module: str) -> bool:
        """Return whether the folder may import a module, given by its full name."""
        top = module.partition(".")[0]
        if top == self.room or top in sys.stdlib_module_names or (self.any_library and top not in OWN):
            return True
        return any(module == allowed or module.startswith(f"{allowed}.") for allowed in self.modules)


def _rules() -> dict[str, Rule]:
    rules = {}
    for room, _, may_import in table(read("ARCHITECTURE.md"), "Rooms"):
        name = spans(room)[0].rstrip("/")
        rules[name] = Rule(name, tuple(spans(may_import)), "any library" in may_import)
    return rules


RULES = _rules()


def _imports(source: str) -> Iterator[str]:
    """Yield the full names of all imported modules, at any level of the source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_folder_has_a_rule() -> None:
    """The table lists the packages of the service."""
    assert set(RULES) == OWN - {"tests", "benchmarks"}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_folder_imports_only_what_its_rule_allows(rule: Rule) -> None:
    """This is checked for every file of the folder."""
    files = sorted((ROOT / rule.room).rglob("*.py"))
    assert files
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files
        for module in _imports(file.read_text(encoding="utf-8"))
        if not rule.allows(module)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("contract", "import handlers.items"),
        ("contract", "def late():\n    from db import items"),
        ("contract", "from app.settings import Settings"),
        ("contract", "import tests.support"),
        ("handlers", "from contract.serving.routing import Router"),
        ("handlers", "from contract import installation"),
        ("handlers", "import sqlalchemy"),
        ("handlers", "from app import errors"),
        ("db", "from contract.problems import Problem"),
        ("db", "import orjson"),
        ("app", "from tests.support import links"),
        ("app", "from tools.conformance import engine"),
        ("tools", "from tests.support import links"),
    ],
)
def test_forbidden_imports_are_found(room: str, source: str) -> None:
    """Contract imports no other folder, handlers import no SQL, and db imports only SQLAlchemy and Alembic."""
    assert [module for module in _imports(source) if RULES[room].allows(module)] == []

"""The files of a new resource: all of them are worked out before the first is written."""

import ast
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import create_engine

from app.specfile import SafeLoader
from tools import migration
from tools.scaffold import code, contract
from tools.scaffold.names import Names, ScaffoldError, names
from tools.scaffold.properties import Property, properties
from tools.scaffold.validity import require_valid

CONTRACT = "openapi/items.yaml"
TABLES = "db/schema.py"
_TABLE_NAMES = ("CheckConstraint", "Column", "Index", "columns", "metadata")


@dataclass(frozen=True)
class Plan:
    """The new content of each file, by its path in the project, and which of them are new."""

    names: Names
    files: Mapping[str, str]
    new: frozenset[str]

    def write(self, folder: Path) -> None:
        """Write all files, or none: what a failure leaves half done is undone."""
        before = {name: (folder / name).read_bytes() for name in self.files if name not in self.new}
        written = []
        try:
            for name, text in self.files.items():
                file = folder / name
                written.append(name)
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("x" if name in self.new else "w", encoding="utf-8", newline="") as opened:
                    opened.write(text)
        except OSError:
            for name in written:
                if name in before:
                    (folder / name).write_bytes(before[name])
                elif name != written[-1] or not before:
                    (folder / name).unlink(missing_ok=True)
            raise


def plan(folder: Path, plural: str, schema: str | None = None) -> Plan:
    """What to write for the resource `plural`. Raises `ScaffoldError` with everything that is against it."""
    text, tables = ((folder / name).read_bytes().decode() for name in (CONTRACT, TABLES))
    document: dict[str, Any] = yaml.load(text, Loader=SafeLoader)  # noqa: S506 -- it is a safe one
    require_valid(document, "The contract is not valid OpenAPI")
    schemas = document["components"]["schemas"]
    named = names(plural, schema, schemas)
    own = properties(named, schemas[named.schema], document)
    sort = code.sort_columns(own)
    modules = {
        f"db/{plural}.py": code.statements(named, own, sort),
        f"handlers/{plural}.py": code.handlers(named, own),
        f"tests/handlers/test_{plural}.py": code.tests(named, own, sort),
    }
    problems = [f"{name} exists already." for name in modules if os.path.lexists(folder / name)]
    problems += _table_problems(tables, plural)
    try:
        changed = contract.add(text, named, own, sort)
    except ScaffoldError as error:
        problems += error.problems
    if problems:
        raise ScaffoldError(problems)
    extended = _with_table(tables, named, own, sort)
    files = {CONTRACT: changed, TABLES: extended}
    files |= {name: code.formatted(source, name) for name, source in modules.items()}
    revision = migration.next_file(folder, plural)
    files[revision] = _migration(revision, named, extended)
    return Plan(named, files, frozenset({*modules, revision}))


def _migration(file: str, named: Names, tables: str) -> str:
    """Return the migration that creates the table, from the source of all tables."""
    module: dict[str, Any] = {}
    exec(compile(tables, TABLES, "exec"), module)  # noqa: S102 -- the project's own module
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        title = f"The table of {named.nouns}"
        source = migration.migration(file, title, module["metadata"], connection, named.plural)
    engine.dispose()
    return source or ""


def _table_problems(tables: str, plural: str) -> list[str]:
    defined = {
        node.id
        for node in ast.walk(ast.parse(tables))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    imported = {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(tables))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    problems = [f"{TABLES} does not have {name}." for name in _TABLE_NAMES if name not in defined | imported]
    return problems + ([f"{TABLES} has the name {plural} already."] if plural in defined | imported else [])


def _with_table(tables: str, named: Names, own: list[Property], sort: list[str]) -> str:
    return f"{tables.rstrip()}\n\n{code.formatted(code.table(named, own, sort), TABLES)}"

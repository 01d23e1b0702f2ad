"""The Python of a resource: its table, statements, handlers and tests."""

import subprocess
import sys
from typing import Any

from sqlalchemy.dialects.postgresql.base import PGIdentifierPreparer
from sqlalchemy.dialects.sqlite.base import SQLiteIdentifierPreparer

from tools.scaffold import examples
from tools.scaffold.names import Names, ScaffoldError
from tools.scaffold.properties import Property
from tools.scaffold.templating import render

_RESERVED = PGIdentifierPreparer.reserved_words | SQLiteIdentifierPreparer.reserved_words
_SORTABLE = 100  # the cursor of a longer one may be longer than the contract allows


def sort_columns(own: list[Property]) -> list[str]:
    """What a list can be sorted by: the times, the id, and the first short string that every row has."""
    for each in own:
        short = each.schema["type"] == "string" and each.schema.get("maxLength", _SORTABLE + 1) <= _SORTABLE
        if short and not each.nullable and not each.read_only and "enum" not in each.schema:
            return ["id", each.name, "created_at", "updated_at"]
    return ["id", "created_at", "updated_at"]


def table(names: Names, own: list[Property], sort: list[str]) -> str:
    """The table, for the end of db/schema.py."""
    parts = [_column(names, each) for each in own]
    ordered = [name for name in sort if name not in ("id", "created_at", "updated_at")]
    parts += [f"*columns.sorted_by({_quoted(names.plural)}, {_quoted(name)})" for name in ordered]
    referring = [each.name for each in own if each.references]
    parts += [f"Index({_quoted(f'{names.plural}_by_{name}')}, {_quoted(name)}, 'id')" for name in referring]
    for each in own:
        if each.schema["type"] == "array":
            limits = f"{each.schema.get('minItems', 0)}, {each.schema['maxItems']}"
            parts.append(f"*columns.array_length({_quoted(names.plural)}, {_quoted(each.name)}, {limits})")
    return f"{names.plural} = columns.resource({_quoted(names.plural)}, metadata, {', '.join(parts)},)\n"


def statements(names: Names, own: list[Property], sort: list[str]) -> str:
    """The module of db/."""
    constants = _constants(names, own)
    imported = "Statements, Values" if constants else "Statements"
    return render(
        "statements.py", names, imported=imported, sort=repr(tuple(sort)), constants="".join(constants.values())
    )


def handlers(names: Names, own: list[Property]) -> str:
    """The module of handlers/."""
    constants = _constants(names, own)
    merged = {name: f"**{name}, " for name in constants}
    created = "{" + "".join(merged.values()) + "**body}" if merged else "body"
    replaced = "{**OPTIONAL, **body}" if "OPTIONAL" in merged else "body"
    imported = ", ".join(sorted([names.plural.upper(), *constants]))
    imports = sorted([("db.resources", "Values"), (f"db.{names.plural}", imported)])
    lines = "\n".join(f"from {module} import {name}" for module, name in imports)
    return render("handlers.py", names, imports=lines, created=created, replaced=replaced)


def tests(names: Names, own: list[Property], sort: list[str]) -> str:
    """The module of tests/handlers/."""
    references = [(each.name, f"/{each.references}") for each in own if each.references]
    optional = {each.name: each.default for each in own if not each.required and not each.read_only}
    initial = {each.name: each.default for each in own if each.read_only}
    constants = f"INITIAL = {initial!r}\n" if initial else ""
    if optional:
        constants += f"MINIMAL = {examples.minimal(own)!r}\nOPTIONAL = {optional!r}\n"
    return render(
        "tests.py",
        names,
        import_references="from tests.resources import create_references" if references else "",
        new=repr(examples.full(names, own)),
        constants=constants,
        fixture=render("test_fixture.py", names) if references else "",
        stored="NEW, **INITIAL" if initial else "NEW",
        sorts=repr([sign + name for name in sort for sign in ("", "-")]),
        change=repr(examples.patches(own)["change"]),
        test_defaults=render("test_defaults.py", names) if optional else "\n",
        test_references=render("test_references.py", names, references=repr(references)) if references else "",
    )


def formatted(source: str, file: str) -> str:
    """The source in the project's style."""
    command = [sys.executable, "-m", "ruff", "format", "--quiet", "--stdin-filename", file, "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)  # noqa: S603 -- ours
    if done.returncode:
        raise ScaffoldError([f"{file} cannot be formatted: {done.stderr.strip()}"])
    return done.stdout


def _constants(names: Names, own: list[Property]) -> dict[str, str]:
    """What the module of db/ says about properties that a client does not give a value."""
    optional = {each.name: each.default for each in own if not each.required and not each.read_only}
    initial = {each.name: each.default for each in own if each.read_only}
    found = {}
    if initial:
        found["INITIAL"] = f'INITIAL: Values = {initial!r}\n"""What the service gives a new {names.noun}."""\n'
    if optional:
        found["OPTIONAL"] = (
            f'OPTIONAL: Values = {optional!r}\n"""What a client may leave out, and what it becomes then."""\n'
        )
    return found


def _column(names: Names, each: Property) -> str:
    arguments = [_quoted(each.name), _type(names, each)]
    if each.references:
        arguments.append(f"columns.reference({_quoted(each.references)})")
    elif check := _check(each):
        arguments.append(f"CheckConstraint({check!r}, {_quoted(f'{names.plural}_{each.name}')})")
    if not each.nullable:
        arguments.append("nullable=False")
    return f"Column({', '.join(arguments)})"


def _type(names: Names, each: Property) -> str:
    kind = each.schema["type"]
    if kind == "string":
        enum = [value for value in each.schema.get("enum", ()) if value is not None]
        return f"columns.text({max(map(len, enum)) if enum else each.schema['maxLength']})"
    if kind == "boolean":
        return f"columns.boolean({_quoted(f'{names.plural}_{each.name}')})"
    return {"integer": "columns.integer()", "number": "columns.number()", "array": "columns.Strings()"}[kind]


def _check(each: Property) -> str | None:
    schema, column = each.schema, _sql_name(each.name)
    if "enum" in schema:
        values = ", ".join(_sql(value) for value in schema["enum"] if value is not None)
        return f"{column} IN ({values})"
    if schema["type"] == "string":
        least, most = schema.get("minLength", 0), schema["maxLength"]
        if least == most:
            return f"length({column}) = {most}"
        return f"length({column}) BETWEEN {least} AND {most}" if least else f"length({column}) <= {most}"
    if schema["type"] in ("integer", "number"):
        return f"{column} BETWEEN {schema['minimum']} AND {schema['maximum']}"
    return None


def _sql_name(name: str) -> str:
    return f'"{name}"' if name in _RESERVED else name


def _sql(value: Any) -> str:
    """A literal; SQLAlchemy takes a colon for the beginning of a parameter."""
    return "'" + value.replace("'", "''").replace(":", "\\:") + "'" if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    return f'"{text}"'

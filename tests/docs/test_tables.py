"""The tables of the documents agree with the code, and with the results of the benchmarks."""

import re
import sqlite3
from dataclasses import fields

from app.settings import ROOT, Settings
from benchmarks import why
from db.errors import POSTGRESQL, SQLITE, Failure
from tests.docs.markdown import read, spans, table


def test_every_setting_is_in_the_table_with_its_default_and_its_meaning() -> None:
    """Every row is a setting."""
    expected = []
    for setting in fields(Settings):
        default = setting.metadata["default"].replace(str(ROOT), "<checkout>")
        expected.append([f"`{setting.name.upper()}`", f"`{default}`" if default else "", setting.metadata["means"]])
    rows = "\n".join(f"| {' | '.join(row)} |" for row in expected)
    assert table(read("docs/settings.md"), "Variables") == expected, f"the rows should be:\n{rows}"


def test_every_database_error_is_in_the_table_with_its_response() -> None:
    """The rows equal `db/errors.py`: SQLite's codes, PostgreSQL's codes, status, Retry-After and detail."""
    sqlite: dict[int, Failure] = {}
    postgresql: dict[str, Failure] = {}
    for sqlite_codes, states, status, retry_after, detail in table(read("docs/errors.md"), "Database errors"):
        failure = Failure(int(status), detail, int(retry_after) if retry_after else None)
        sqlite |= {getattr(sqlite3, code): failure for code in spans(sqlite_codes)}
        postgresql |= {state.rstrip("…"): failure for state in spans(states)}
    assert sqlite == SQLITE
    assert postgresql == POSTGRESQL


def test_the_variables_of_compose_are_in_the_table() -> None:
    """The table has the variables of `docker-compose.yml` with their defaults."""
    variables = re.findall(r"^(?!\s*#).*\$\{(\w+):-([\w.]*)\}", read("docker-compose.yml"), re.MULTILINE)
    rows = table(read("docs/compose.md"), "Variables")
    assert {(spans(name)[0], "".join(spans(default))) for name, default, _ in rows} == set(variables)


def test_the_costs_are_those_of_the_last_run_of_the_benchmarks() -> None:
    """`python -m benchmarks.why` writes the table; no other row has a figure."""
    assert why.current(read("docs/why.md")) == why.expected(read("benchmarks/RESULTS.md"))

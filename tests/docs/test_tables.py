"""The tables of the documents agree with the code, and with the results of the benchmarks."""

import re
import sqlite3
from dataclasses import fields

from app.settings import ROOT, Settings
from db.errors import POSTGRESQL, SQLITE, Failure
from tests.docs.markdown import read, spans, table

CONTESTANTS = ("this service", "FastAPI", "Connexion AsyncApp", "Connexion FlaskApp")
COSTS = {
    "GET of one item, µs": ("CPU per request, µs", "GET one"),
    "GET of a page of 50 items, µs": ("CPU per request, µs", "GET 50"),
    "POST, µs": ("CPU per request, µs", "POST"),
    "POST with a durable write, µs": ("CPU per request, µs", "POST, durable"),
    "a 400, µs": ("CPU per request, µs", "a 400 (name of 81 characters)"),
    "memory, MB": ("Memory and start", "memory, MB"),
    "start to first response, s": ("Memory and start", "start to first 200, s"),
}
"""The rows of docs/why.md, with the table and the column of benchmarks/RESULTS.md."""


def test_every_setting_is_in_the_table_with_its_default_and_its_meaning() -> None:
    """Every row is a setting."""
    expected = []
    for setting in fields(Settings):
        default = setting.metadata["default"].replace(str(ROOT), "<checkout>")
        expected.append([f"`{setting.name.upper()}`", f"`{default}`", setting.metadata["means"]])
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
    variables = re.findall(r"^(?!\s*#).*\$\{(\w+):-(\w*)\}", read("docker-compose.yml"), re.MULTILINE)
    rows = table(read("docs/compose.md"), "Variables")
    assert {(spans(name)[0], "".join(spans(default))) for name, default, _ in rows} == set(variables)


def test_the_costs_are_those_of_the_last_run_of_the_benchmarks() -> None:
    """For this service and for peers that were measured; no other row has a figure."""
    results = read("benchmarks/RESULTS.md")
    expected = []
    for title, (heading, column) in COSTS.items():
        names = table(results, heading, header=True)[0]
        figures = {row[0]: row[names.index(column)] for row in table(results, heading)}
        expected.append([title, *(figures[contestant] for contestant in CONTESTANTS)])
    rows = "\n".join(f"| {' | '.join(row)} |" for row in expected)
    assert table(read("docs/why.md"), "What it costs") == expected, f"the rows should be:\n{rows}"

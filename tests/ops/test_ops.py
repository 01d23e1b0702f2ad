"""The dashboard and the alert rules name metrics that exist, and are PromQL. tests/e2e/test_metrics.py runs them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from app.metrics.families import FAMILIES, HISTOGRAM
from app.settings import ROOT
from tests.docs.markdown import read, spans, table
from tools.dashboard.queries import expression

RULES: list[dict[str, Any]] = yaml.safe_load((ROOT / "ops/alerts.yaml").read_text())["groups"][0]["rules"]
TESTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "ops/alerts.test.yaml").read_text())["tests"]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "ops/dashboard.json").read_text())
OF_PROMETHEUS = {"up": {"job", "instance"}}
OF_TARGETS = {"job", "instance"}


def queries() -> Iterator[str]:
    """Yield every expression of the dashboard, with values in place of Grafana's variables."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield expression(target)


def selectors(query: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric of an expression with the labels that select its series."""

    def visit(expr: Any) -> bool:
        if isinstance(expr, promql_parser.VectorSelector):
            found.append((str(expr.name), {matcher.name for matcher in expr.matchers.matchers}))
        elif isinstance(expr, promql_parser.MatrixSelector):
            selector = expr.vector_selector
            found.append((str(selector.name), {matcher.name for matcher in selector.matchers.matchers}))
        return True

    found: list[tuple[str, set[str]]] = []
    promql_parser.walk(promql_parser.parse(query), visit)
    yield from found


def exposed() -> dict[str, set[str]]:
    """Return the names of the series that Prometheus has, with their labels."""
    names = dict(OF_PROMETHEUS)
    for family in FAMILIES.values():
        labels = {*family.labels, *OF_TARGETS}
        if family.kind == HISTOGRAM:
            names |= {f"{family.name}_bucket": labels | {"le"}}
            names |= {f"{family.name}_{part}": labels for part in ("sum", "count")}
        else:
            names[family.name] = labels
    return names


EXPOSED = exposed()


@pytest.mark.parametrize("query", [*queries(), *(rule["expr"] for rule in RULES)])
def test_each_expression_selects_what_exists(query: str) -> None:
    """Names and labels are those of `FAMILIES`."""
    found = list(selectors(query))
    assert found
    for name, labels in found:
        assert labels <= EXPOSED[name]


def test_the_dashboard_shows_every_metric() -> None:
    """A metric that nobody sees is not needed."""
    shown = {re.sub("_(bucket|sum|count)$", "", name) for query in queries() for name, _ in selectors(query)}
    assert shown == {*FAMILIES, "up"}


def test_the_panels_do_not_overlap() -> None:
    """Each has a place of its own in the grid of 24 columns."""
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_each_alert_says_what_to_do() -> None:
    """It has a summary, a section of the runbook with its name, and a severity."""
    for rule in RULES:
        assert rule["annotations"].keys() == {"summary", "runbook"}
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert rule["labels"].keys() == {"severity"}
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_each_alert_has_a_test_and_is_in_the_document() -> None:
    """It fires for its fault, and not for a service that is well."""
    names = [rule["alert"] for rule in RULES]
    well, *faults = TESTS
    assert [case["alertname"] for case in well["alert_rule_test"]] == names
    assert [case["name"] for case in faults] == names
    assert [spans(alert)[0] for alert, *_ in table(read("docs/metrics.md"), "Alerts")] == names


def test_the_document_has_every_metric() -> None:
    """The table equals `FAMILIES`."""
    expected = [
        [f"`{f.name}`", f.kind, ", ".join(f"`{label}`" for label in f.labels), f.meaning] for f in FAMILIES.values()
    ]
    rows = "\n".join(f"| {' | '.join(row)} |" for row in expected)
    assert table(read("docs/metrics.md"), "Metrics") == expected, f"the rows should be:\n{rows}"

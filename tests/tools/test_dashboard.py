"""tools/dashboard draws every panel of ops/dashboard.json. tests/e2e/test_dashboard.py asks a real Prometheus."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.settings import ROOT
from tools.dashboard.page import page
from tools.dashboard.queries import POINTS, Range, Series, ask
from tools.dashboard.units import marks, write

DASHBOARD: dict[str, Any] = json.loads((ROOT / "ops/dashboard.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
SPAN = Range(0, 10.0 * POINTS)
LINE = Series("a < b", [(0.0, 1.0), (10.0, 3.0), (40.0, 2.0)])
SECTION = re.compile(r'<section class="(\w+)" style="grid-area: (.*?)"><h2>(.*?)</h2>(.*?)</section>', re.DOTALL)


def drawn(data: dict[int, list[Series]]) -> list[tuple[str, ...]]:
    """Return type, place, title and content of each panel on the page."""
    return SECTION.findall(page(DASHBOARD, data, SPAN))


def content(panel: dict[str, Any], *series: Series) -> str:
    """Return what is drawn for one panel."""
    found = page({**DASHBOARD, "panels": [panel]}, {panel["id"]: list(series)}, SPAN)
    return "".join(text for _, _, _, text in SECTION.findall(found))


def panel_of(kind: str, defaults: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Return a panel of the dashboard with other settings."""
    found = next(panel for panel in PANELS if panel["type"] == kind)
    custom = found["fieldConfig"]["defaults"].get("custom", {})
    return {**found, "fieldConfig": {"defaults": {"custom": custom, **defaults}}, "options": found["options"] | options}


def test_every_panel_is_drawn_at_its_place() -> None:
    """With its title and its data; rows have titles only."""
    places = [(panel["type"], panel["gridPos"], panel["title"]) for panel in DASHBOARD["panels"]]
    expected = [
        (kind, f"{at['y'] + 1} / {at['x'] + 1} / span {at['h']} / span {at['w']}", title) for kind, at, title in places
    ]
    found = drawn({panel["id"]: [LINE] for panel in PANELS})
    assert [section[:3] for section in found] == expected
    assert all(("svg" in text or 'class="one"' in text) == (kind != "row") for kind, _, _, text in found)


def test_a_panel_without_data_says_why() -> None:
    """Those that need a database or a setting name it; the others say that there is none."""
    texts = {title: re.sub("<.*?>", "", text) for kind, _, title, text in drawn({}) if kind != "row"}
    assert texts["Connections"] == "Only with PostgreSQL"
    assert texts["Commit"] == "Only with SQLite"
    assert texts["Authentications"] == "Only with ACCESS=secured"
    assert texts["Duration"] == "No data"


def test_every_stat_has_thresholds_of_its_own() -> None:
    """Grafana's own are red from 80 on, also for requests per second."""
    stats = [panel for panel in PANELS if panel["type"] == "stat"]
    assert [panel["title"] for panel in stats if "thresholds" not in panel["fieldConfig"]["defaults"]] == []
    assert "#c4162a" in content(panel_of("stat", {"unit": "none"}), Series("", [(0.0, 80.0)]))
    assert "#c4162a" not in content(panel_of("stat", {"unit": "none"}), Series("", [(0.0, 79.0)]))


def test_a_stat_shows_a_value_or_a_name() -> None:
    """Grafana shows the name only if there are several series, or `textMode` says so."""
    one, other = Series("one", [(0.0, 1.0)]), Series("other", [(0.0, 2.0)])

    def shown(panel: dict[str, Any], *series: Series) -> list[str]:
        return re.findall("<span.*?>(.*?)</span>", content(panel, *series))

    assert shown(panel_of("stat", {"unit": "none"}), one) == ["1"]
    assert shown(panel_of("stat", {"unit": "none"}), one, other) == ["one", "1", "other", "2"]
    assert shown(panel_of("stat", {"unit": "none"}, textMode="name"), one) == ["one"]


def test_a_line_has_gaps_where_values_are_missing() -> None:
    """It is not drawn through them. The axis begins at the minimum of the panel."""
    found = content(panel_of("timeseries", {"unit": "none", "min": 0}), LINE)
    assert re.findall('fill="none" d="(.*?)"', found) == [
        f"M0.00 66.67L{100 / POINTS:.2f} 0.00",
        f"M{400 / POINTS:.2f} 33.33",
    ]
    assert re.findall('<span style="bottom.*?>(.*?)<', found) == ["0", "1", "2", "3"]
    assert "<li><i style=" in found
    assert "a &lt; b" in found


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "s", "0 s"),
        (0.00972, "s", "9.72 ms"),
        (0.0000021, "s", "2.1 µs"),
        (7200, "s", "2 hours"),
        (0.0123, "percentunit", "1.23%"),
        (1536, "bytes", "1.5 KiB"),
        (1234.4, "none", "1234"),
        (1234.4, "reqps", "1.23K req/s"),
        (0.00012, "ops", "0 ops/s"),
        (90, "suffix:days", "90 days"),
        (-1.5, "none", "-1.5"),
    ],
)
def test_values_have_units(value: float, unit: str, text: str) -> None:
    """Three significant digits, in a unit in which the value is at least 1."""
    assert write(value, unit) == text


def test_axes_have_round_marks() -> None:
    """Powers of 2 for bytes; also if all values are equal."""
    assert marks(0, 0.9, "none") == pytest.approx([0, 0.5, 1])
    assert marks(0, 3 * 2**20, "bytes") == [0, 2**20, 2 * 2**20, 3 * 2**20]
    assert marks(0, 0, "none") == pytest.approx([0, 0.5, 1])


@contextmanager
def prometheus(result: list[Any]) -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    """Run a server with one result for every query; the value is its URL and the queries."""
    queries: list[dict[str, list[str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            queries.append(parse_qs(urlsplit(self.path).query))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"data": {"result": result}}).encode())

        def log_message(self, *_arguments: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", queries
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_prometheus_is_asked_with_the_first_values_of_the_variables() -> None:
    """The legend has the values of the labels. What is not a number is left out."""
    values = [[0, "1"], [10, "NaN"], [20, "+Inf"], [30, "2"]]
    result = [
        {"metric": {"instance": "web:9000", "worker": "1"}, "values": values},
        {"metric": {}, "values": [[0, "NaN"]]},
    ]
    panel = next(panel for panel in PANELS if panel["title"] == "Processor")
    with prometheus(result) as (url, queries):
        assert ask(url, panel, SPAN) == [Series("web:9000, worker 1", [(0, 1.0), (30, 2.0)])]
    (query,) = queries
    assert query == {
        "query": ['rate(worker_cpu_seconds_total{job="items", instance=~".*"}[1m])'],
        "start": ["0"],
        "end": [str(SPAN.end)],
        "step": ["10.0"],
    }

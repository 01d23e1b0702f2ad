"""Draws panels as one HTML page: the grid, titles, legends and thresholds of Grafana, with lines in SVG."""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from time import gmtime, strftime
from typing import Any

from tools.dashboard.queries import POINTS, Range, Series
from tools.dashboard.units import marks, write

CAPTION = (
    "Drawn by tools/dashboard from the expressions of ops/dashboard.json and the data of a Prometheus, not by Grafana."
)
COLOURS = ("#2f7d32", "#c78a00", "#1f60c4", "#d9480f", "#c4162a", "#0a8f8f", "#8f3bb8", "#6b7280", "#7a5c00", "#c2255c")
THRESHOLDS = {"green": "#2f7d32", "orange": "#d9730d", "red": "#c4162a", "text": "#1f2933"}
GRAFANAS_THRESHOLDS = ({"color": "green", "value": None}, {"color": "red", "value": 80})
"""What a panel has that declares none."""
NARROW = 6
"""Up to this width, in columns of the grid, there is no space for every time."""
STYLE = Path(__file__).with_name("page.css")


def page(dashboard: dict[str, Any], data: Mapping[int, list[Series]], span: Range) -> str:
    """Return the page: every panel of the dashboard at its place, with the series that `data` has for its id."""
    begin, end = (strftime("%Y-%m-%d %H:%M", gmtime(at)) for at in (span.begin, span.end))
    panels = [_panel(panel, data.get(panel["id"], []), span) for panel in dashboard["panels"]]
    return "\n".join(
        (
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            f"<title>{escape(dashboard['title'])}</title><style>{STYLE.read_text(encoding='utf-8')}</style>",
            f"<header><h1>{escape(dashboard['title'])}</h1><p>{begin} to {end} UTC. {CAPTION}</p></header>",
            f"<main>{''.join(panels)}</main></html>\n",
        )
    )


def _panel(panel: dict[str, Any], series: list[Series], span: Range) -> str:
    at = panel["gridPos"]
    area = f"{at['y'] + 1} / {at['x'] + 1} / span {at['h']} / span {at['w']}"
    draw = {"row": lambda *_: "", "stat": _stat, "timeseries": _timeseries}[panel["type"]]
    if panel["type"] != "row" and not series:
        content = f'<p class="none">{escape(panel["fieldConfig"]["defaults"].get("noValue", "No data"))}</p>'
    else:
        content = draw(panel, series, span)
    title = f"<h2>{escape(panel['title'])}</h2>"
    return f'<section class="{panel["type"]}" style="grid-area: {area}">{title}{content}</section>\n'


def _stat(panel: dict[str, Any], series: list[Series], span: Range) -> str:
    """Draw the last value of each series, or its name, above a small graph."""
    mode = panel["options"].get("textMode", "auto")
    if mode == "auto":
        mode = "value" if len(series) == 1 else "value_and_name"
    defaults = panel["fieldConfig"]["defaults"]
    stats = []
    for one in series:
        value = one.points[-1][1]
        texts = {"name": one.name, "value": write(value, defaults["unit"], defaults.get("decimals", 3))}
        shown = "".join(f'<span class="{key}">{escape(texts[key])}</span>' for key in texts if key in mode)
        graph = _graph([one], [_colour(defaults, value)], _axis([one], defaults), span, 0.1)
        graph = graph if panel["options"]["graphMode"] == "area" else ""
        stats.append(f'<div class="one" style="color: {_colour(defaults, value)}">{shown}{graph}</div>')
    return "".join(stats)


def _colour(defaults: dict[str, Any], value: float) -> str:
    """Return the colour of the last threshold that the value has reached."""
    steps = defaults.get("thresholds", {}).get("steps", GRAFANAS_THRESHOLDS)
    name = [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]
    return THRESHOLDS[name]


def _timeseries(panel: dict[str, Any], series: list[Series], span: Range) -> str:
    """Draw the lines with their axes, and the legend below them or on their right."""
    defaults, legend = panel["fieldConfig"]["defaults"], panel["options"]["legend"]
    axis, opacity = _axis(series, defaults), defaults["custom"]["fillOpacity"] / 100
    colours = [COLOURS[number % len(COLOURS)] for number in range(len(series))]
    names = "".join(
        f'<li><i style="background: {colour}"></i>{escape(one.name)}</li>'
        for colour, one in zip(colours, series, strict=True)
    )
    values = "".join(
        f'<span style="bottom: {_percent(mark, axis)}">{write(mark, defaults["unit"])}</span>' for mark in axis
    )
    clock = "%H:%M" if span.end - span.begin > 300 else "%H:%M:%S"
    moments = "".join(
        f'<span style="left: {25 * part}%">{strftime(clock, gmtime(span.begin + span.step * POINTS * part / 4))}</span>'
        for part in range(0, 5, 1 if panel["gridPos"]["w"] > NARROW else 2)
    )
    return (
        f'<div class="content {legend["placement"]}"><div class="chart"><div class="values">{values}</div>'
        f'{_graph(series, colours, axis, span, opacity)}<div class="moments">{moments}</div></div>'
        f'<ul class="{legend["displayMode"]}">{names}</ul></div>'
    )


def _axis(series: list[Series], defaults: dict[str, Any]) -> list[float]:
    """Return the marks of the vertical axis: from the panel's minimum, or the least value, to the greatest."""
    values = [value for one in series for _, value in one.points]
    low = min(defaults.get("min", min(values)), *values)
    return marks(low, max(defaults.get("max", low), *values, low), defaults["unit"])


def _percent(value: float, axis: list[float]) -> str:
    return f"{100 * (value - axis[0]) / (axis[-1] - axis[0]):.1f}%"


def _graph(series: list[Series], colours: list[str], axis: list[float], span: Range, opacity: float) -> str:
    """Draw the lines in a square of 100 that the page stretches."""
    height = 100 / (axis[-1] - axis[0])
    grid = "".join(f'<path class="grid" d="M0 {100 - (mark - axis[0]) * height:.1f}H100"/>' for mark in axis)
    lines = []
    for one, colour in zip(series, colours, strict=True):
        for piece in _pieces(one.points, span.step):
            at = [(100 * (x - span.begin) / (span.end - span.begin), 100 - (y - axis[0]) * height) for x, y in piece]
            line = "L".join(f"{x:.2f} {y:.2f}" for x, y in at)
            if opacity:
                area = f"M{at[0][0]:.2f} 100L{line}L{at[-1][0]:.2f} 100Z"
                lines.append(f'<path fill="{colour}" fill-opacity="{opacity}" d="{area}"/>')
            lines.append(f'<path stroke="{colour}" fill="none" d="M{line}"/>')
    return f'<svg viewBox="0 0 100 100" preserveAspectRatio="none">{grid}{"".join(lines)}</svg>'


def _pieces(points: list[tuple[float, float]], step: float) -> Iterator[list[tuple[float, float]]]:
    """Split a line where values are missing."""
    begin = 0
    for number in range(1, len(points) + 1):
        if number == len(points) or points[number][0] - points[number - 1][0] > 1.5 * step:
            yield points[begin:number]
            begin = number

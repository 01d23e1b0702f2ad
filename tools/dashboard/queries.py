"""The expressions of a dashboard, and the series that a Prometheus has for them."""

import json
import math
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

VARIABLES = {"$__rate_interval": "1m", "$job": "items", "$instance": ".*"}
"""Grafana's variables, with the values that they have at first, for a Prometheus that collects every 15 s."""
POINTS = 150


@dataclass(frozen=True)
class Range:
    """A range of time, in seconds since 1970."""

    begin: float
    end: float

    @property
    def step(self) -> float:
        """The seconds between two points."""
        return (self.end - self.begin) / POINTS


@dataclass(frozen=True)
class Series:
    """A named line: pairs of time and value, without those that are not numbers."""

    name: str
    points: list[tuple[float, float]]


def expression(target: dict[str, Any]) -> str:
    """Return the expression of a target as Prometheus takes it."""
    query: str = target["expr"]
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    return query


def ask(url: str, panel: dict[str, Any], span: Range) -> list[Series]:
    """Return the series of a panel; those that have no value at any time are left out."""
    found = [series for target in panel["targets"] for series in _series(url, target, span)]
    return [series for series in found if series.points]


def _series(url: str, target: dict[str, Any], span: Range) -> list[Series]:
    times = {"start": span.begin, "end": span.end, "step": span.step}
    query = urlencode({"query": expression(target), **times})
    with urlopen(f"{url.rstrip('/')}/api/v1/query_range?{query}", timeout=30) as response:  # noqa: S310 -- the user's URL
        result = json.load(response)["data"]["result"]
    return [Series(_name(target["legendFormat"], one["metric"]), _points(one["values"])) for one in result]


def _name(legend: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), legend)


def _points(values: list[tuple[float, str]]) -> list[tuple[float, float]]:
    return [(at, float(value)) for at, value in values if math.isfinite(float(value))]

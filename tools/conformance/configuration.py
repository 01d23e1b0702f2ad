"""How Schemathesis is configured: `schemathesis.toml`, made stricter for each operation of the contract."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml
from schemathesis.config import SchemathesisConfig

from app import SPECIFICATION
from app.settings import ROOT

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@cache
def contract() -> Mapping[str, Any]:
    """The contract of this checkout."""
    document: Mapping[str, Any] = yaml.safe_load(SPECIFICATION.read_bytes())
    return document


def configuration(
    document: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> SchemathesisConfig:
    """The configuration for this contract; without one, for that of the checkout. `headers` go with each request."""
    settings = tomllib.loads((ROOT / "schemathesis.toml").read_text(encoding="utf-8"))
    settings["hooks"] = str(ROOT / settings["hooks"])  # Schemathesis looks for it in the current folder
    expected = settings["checks"]["positive_data_acceptance"]["expected-statuses"]
    settings["operations"] = list(_operations(document or contract(), expected))
    if headers:
        settings["headers"] = dict(headers)
    return SchemathesisConfig.from_dict(settings)


def _operations(document: Mapping[str, Any], expected: list[str]) -> Iterator[dict[str, Any]]:
    """Of the expected statuses, leave each operation those that it documents, and whole classes such as 2xx."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                documented = {str(status) for status in item[method]["responses"]}
                statuses = [status for status in expected if status in documented or status.endswith("xx")]
                yield {
                    "include-name": f"{method.upper()} {path}",
                    "checks": {"positive_data_acceptance": {"expected-statuses": statuses}},
                }

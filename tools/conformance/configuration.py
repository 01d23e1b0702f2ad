"""How Schemathesis is configured: every phase and every check is on, and none is excluded."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import schemathesis
import yaml
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig

from app import SPECIFICATION

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
STATUSES_OF_VALID_REQUESTS = {"304", "401", "403", "404", "409", "412", "422"}
"""Statuses that depend on what is stored, or on who asks: a valid request may get them, where they are documented."""


@cache
def contract() -> Mapping[str, Any]:
    """The contract of this checkout."""
    document: Mapping[str, Any] = yaml.safe_load(SPECIFICATION.read_bytes())
    return document


def configuration(document: Mapping[str, Any] | None = None) -> SchemathesisConfig:
    """The configuration for this contract; without one, for that of the checkout."""
    schemathesis.openapi.format("entity-tags", _entity_tags())
    # The contract has links. Those that Schemathesis infers from names take a null `item_id` for an id: `/items/None`.
    stateful = {"inference": {"algorithms": ["location-headers"]}}
    operations = list(_operations(document or contract()))
    return SchemathesisConfig.from_dict({"phases": {"stateful": stateful}, "operations": operations})


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """State the statuses of valid requests, for each operation. Schemathesis expects no 412, whatever is documented."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                documented = {str(status) for status in item[method]["responses"]}
                expected = ["2xx", *sorted(documented & STATUSES_OF_VALID_REQUESTS)]
                yield {
                    "include-name": f"{method.upper()} {path}",
                    "checks": {"positive_data_acceptance": {"expected-statuses": expected}},
                }


def _entity_tags() -> st.SearchStrategy[str]:
    """Values of `format: entity-tags`. For a format that it does not know, Schemathesis ignores a header's pattern."""
    tag = st.from_regex(r'\A(W/)?"[!#-~\x80-\xff]{0,20}"\Z')
    separator = st.sampled_from([", ", ",", "\t,\t", ", ,"])
    return st.just("*") | st.builds(str.join, separator, st.lists(tag, min_size=1, max_size=3))

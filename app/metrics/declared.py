"""Counts what the contract declares: credentials, rate limits, and deprecated operations."""

from collections.abc import Mapping
from typing import Any

from app import metrics
from app.metrics.memory import Values
from contract import Interceptor, Proceed, Request
from contract.responses.response import Response
from contract.spec.limits import rate_limit
from contract.spec.operations import Operation, all_operations
from contract.spec.retirement import retirement

_KINDS = {"ApiKey": "key", "BearerToken": "token"}
"""What security schemes are called here."""
_RESULTS = {
    "key": ("accepted", "scope", "too_many", "unknown", "expired", "revoked"),
    "token": ("accepted", "scope", "too_many", "unknown", "expired", "invalid"),
    "-": ("missing",),
}
"""The results of each kind of credential."""


def begin_at_zero(contract: Mapping[str, Any]) -> None:
    """Create the counters of what this contract has, and set when its operations may be removed."""
    if "securitySchemes" in contract.get("components", {}):
        for kind, results in _RESULTS.items():
            for result in results:
                metrics.count("authentications_total", kind, result, by=0)
    for operation in all_operations(contract):
        definition = operation.definition
        if (limit := rate_limit(contract, definition)) is not None:
            metrics.count("rate_limit_refusals_total", limit.name, by=0)
        if definition.get("deprecated") is True:
            metrics.count("deprecated_requests_total", operation.operation_id, by=0)
            found = retirement(definition)
            if found is not None and found.sunset is not None:
                name = "operation_sunset_timestamp_seconds"
                metrics.gauge(name, found.sunset.timestamp(), operation.operation_id)


class AuthenticationCounter:
    """Counts the credentials of one worker, on its event loop: 0.3 µs each."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], tuple[Values, int]] = {}

    def __call__(self, scheme: str, result: str) -> None:
        """Count a credential that was verified."""
        place = self._places.get((scheme, result))
        if place is None:
            if not metrics.is_on():  # such as under another server
                return
            place = metrics.place("authentications_total", _KINDS.get(scheme, scheme), result)
            self._places[scheme, result] = place
        values, index = place
        values[index] += 1


def count_deprecated(operation: Operation) -> Interceptor | None:
    """Return what counts the requests to a deprecated operation; None for the others, which pay nothing for it."""
    if operation.definition.get("deprecated") is not True:
        return None
    operation_id = operation.operation_id

    async def count(request: Request, proceed: Proceed) -> Response:
        metrics.count("deprecated_requests_total", operation_id)
        return await proceed(request)

    return count

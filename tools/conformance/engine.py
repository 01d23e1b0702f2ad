"""Runs Schemathesis with all its phases and all its checks, and counts what it did."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.run import PhaseName

PHASES = {PhaseName.EXAMPLES, PhaseName.COVERAGE, PhaseName.FUZZING, PhaseName.STATEFUL_TESTING}
CHECKS = {
    "allow_header_conformance",
    "content_type_conformance",
    "ensure_resource_availability",
    "ignored_auth",
    "missing_required_header",
    "negative_data_rejection",
    "not_a_server_error",
    "object_level_authorization",
    "positive_data_acceptance",
    "response_headers_conformance",
    "response_schema_conformance",
    "status_code_conformance",
    "unsupported_method",
    "use_after_free",
}


@dataclass
class Report:
    """What the runs did so far: cases by phase, how often each check was applied, and every failure."""

    seed: int | None
    cases: Counter[PhaseName] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        phases = ", ".join(f"{phase.value} {count}" for phase, count in self.cases.items())
        return (
            f"Schemathesis: {self.cases.total()} cases ({phases}), {self.checks.total()} checks of "
            f"{len(self.checks)} kinds, {len(self.failures)} failures, seed {self.seed}"
        )

    def unused(self, phases: set[PhaseName]) -> list[str]:
        """Name those of these phases that made no case, and the checks that were applied to none."""
        used = {phase for phase, count in self.cases.items() if count}
        return sorted([*(phase.value for phase in phases - used), *(CHECKS - set(self.checks))])

    def record(self, event: events.EngineEvent) -> None:
        """Count the cases, checks and failures of one event."""
        if isinstance(event, events.NonFatalError | events.FatalError):
            self.failures.append(str(getattr(event, "exception", event)))
        if isinstance(event, events.ScenarioFinished):
            self.cases[event.phase] += len(event.recorder.cases)
            for case_id, checks in event.recorder.checks.items():
                for check in checks:
                    self.checks[check.name] += 1
                    if check.status is not Status.SUCCESS:
                        self.failures.append(f"{check.name}: {_describe(event, case_id, check)}")


def run(schema: Any, max_examples: int) -> Report:
    """Test a loaded schema, with at most so many generated cases for each operation and phase, and print the report.

    Raises `AssertionError` on a failure, and if a phase or a check was not used.
    """
    schema.config.generation.update(max_examples=max_examples)
    report = Report(seed=schema.config.seed)
    for event in from_schema(schema).execute():
        report.record(event)
    print(report)
    assert not report.failures, "\n\n".join([str(report), *report.failures[:5]])
    assert report.unused(PHASES) == []
    assert set(report.checks) == CHECKS
    return report


def _describe(event: events.ScenarioFinished, case_id: str, check: Any) -> str:
    case = event.recorder.cases[case_id].value
    return f"{check.failure_info.failure if check.failure_info else check}\n{case.as_curl_command()}"

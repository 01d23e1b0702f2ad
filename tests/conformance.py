"""The contract's property tests: Schemathesis with all its phases and all its checks, and a count of what it did.

`run()` does it for the tests; `tests/instance.py` puts the same to any running instance of the service.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.run import PhaseName

from app.settings import ROOT

CONFIGURATION = ROOT / "tests" / "schemathesis.toml"
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
    """What one run did: cases by phase, how often each check was applied, and everything that went wrong."""

    seed: int | None
    cases: Counter[PhaseName] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        phases = ", ".join(f"{phase.value} {count}" for phase, count in self.cases.items())
        checks = f"{self.checks.total()} checks of {len(self.checks)} kinds"
        return (
            f"Schemathesis: {self.cases.total()} cases ({phases}), {checks}, {len(self.wrong)} wrong, seed {self.seed}"
        )

    def missing(self, phases: set[PhaseName], checks: set[str]) -> list[str]:
        """The phases that made no case, and the checks that were applied to none."""
        return sorted({*phases} - {phase for phase, count in self.cases.items() if count} | checks - set(self.checks))

    def note(self, event: events.EngineEvent) -> None:
        """Take down what an event of the engine says."""
        if isinstance(event, events.NonFatalError | events.FatalError):
            self.wrong.append(str(getattr(event, "exception", event)))
        if isinstance(event, events.ScenarioFinished):
            self.cases[event.phase] += len(event.recorder.cases)
            for case_id, checks in event.recorder.checks.items():
                for check in checks:
                    self.checks[check.name] += 1
                    if check.status is not Status.SUCCESS:
                        self.wrong.append(f"{check.name}: {_describe(event, case_id, check)}")


def configuration() -> SchemathesisConfig:
    """The project's configuration of Schemathesis, the same for tests and for people."""
    return SchemathesisConfig.from_path(CONFIGURATION)


def run(schema: Any, max_examples: int) -> Report:
    """Put at most so many generated cases to each operation, in every phase; the report prints itself."""
    schema.config.generation.update(max_examples=max_examples)
    engine = from_schema(schema)
    report = Report(seed=schema.config.seed)
    for event in engine.execute():
        report.note(event)
    print(report)
    assert not report.wrong, "\n\n".join([str(report), *report.wrong[:5]])
    assert set(report.cases) >= PHASES
    assert set(report.checks) == CHECKS
    return report


def _describe(event: events.ScenarioFinished, case_id: str, check: Any) -> str:
    case = event.recorder.cases[case_id].value
    return f"{check.failure_info.failure if check.failure_info else check}\n{case.as_curl_command()}"

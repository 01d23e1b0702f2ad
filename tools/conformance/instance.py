"""An instance of the service that runs somewhere, and how Schemathesis tests it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from schemathesis import cli
from schemathesis.cli.ext.handlers import CUSTOM_HANDLERS
from schemathesis.config import SchemathesisConfig
from schemathesis.engine.run import PhaseName

from tools.conformance.configuration import configuration, contract
from tools.conformance.engine import PHASES, Report

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True)
class Mode:
    """How much of the contract is tested, and in which phases; `safe` sends only what cannot write."""

    description: str
    phases: set[PhaseName]
    safe: bool


MODES: Mapping[str, Mode] = {
    "read": Mode(
        "only GET and OPTIONS are sent, so nothing is written",
        PHASES - {PhaseName.STATEFUL_TESTING},  # it links writes
        safe=True,
    ),
    "full": Mode("every operation: items are created, changed and DELETED, whoever made them", PHASES, safe=False),
}


class NotAnInstanceError(Exception):
    """There is no instance of this service at the URL."""


@dataclass
class Instance:
    """The instance at `url`, its contract, and what has been tested there so far."""

    url: str
    contract: Mapping[str, Any]
    mode: Mode
    report: Report
    reports: Path

    def test(self, phases: set[PhaseName], cases: int, seed: int) -> bool:
        """Run one round as Schemathesis's own command line does, with its progress and reports; True if it passed."""
        report = self.report

        class Count(cli.EventHandler[Any]):
            def handle_event(self, _context: Any, event: Any) -> None:
                report.record(event)

        CUSTOM_HANDLERS[:] = [Count]
        try:
            cli.schemathesis.commands["run"].main(
                self._arguments(phases, cases, seed), prog_name="schemathesis run", obj=self._configuration()
            )
        except SystemExit as ended:
            return ended.code == 0

    def _configuration(self) -> SchemathesisConfig:
        config = configuration(self.contract)
        if self.mode.safe:
            config.projects.default.phases.coverage.unexpected_methods = {"options"}
        return config

    def _arguments(self, phases: set[PhaseName], cases: int, seed: int) -> list[str]:
        folder = self.reports / f"seed-{seed}"
        options = {
            "url": self.url,
            "phases": ",".join(sorted(phases)),
            "max-examples": cases,
            "seed": seed,
            "generation-database": "none",
            "report": "html,junit",
            "report-html-path": folder,
            "report-junit-path": folder / "junit.xml",
        }
        methods = sorted(SAFE_METHODS) if self.mode.safe else []
        return [
            f"{self.url}/openapi.json",
            *(f"--{name}={value}" for name, value in options.items()),
            *(f"--include-method={method}" for method in methods),
        ]


def fetch_contract(url: str) -> Mapping[str, Any]:
    """The contract that the instance at `url` serves. Raises `NotAnInstanceError`."""
    try:
        response = requests.get(f"{url}/openapi.json", timeout=30)
    except requests.RequestException as error:
        raise NotAnInstanceError(f"{url} cannot be reached: {_reason(error)}") from None
    try:
        served = response.json() if response.ok else None
    except requests.JSONDecodeError:
        served = None
    if not isinstance(served, dict) or served.get("info", {}).get("title") != contract()["info"]["title"]:
        found = f"/openapi.json has status {response.status_code} and is not its contract"
        raise NotAnInstanceError(f"{url} is no instance of this service: {found}.")
    return served


def refuse_to_write(_context: Any, case: Any, _arguments: Any) -> None:
    """Raise before any request is sent that could write, whatever Schemathesis generates."""
    if case.method.upper() not in SAFE_METHODS:
        raise RuntimeError(f"{case.method} is not sent in the mode that only reads")


def _reason(error: requests.RequestException) -> str:
    reason = getattr(error.args[0], "reason", error) if error.args else error
    return str(reason).rpartition("): ")[2]

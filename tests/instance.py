"""`make conformance`: the contract's property tests, put to a running instance of the service, wherever it is."""

import argparse
import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import schemathesis
import yaml
from schemathesis import cli
from schemathesis.cli.ext.handlers import CUSTOM_HANDLERS
from schemathesis.engine.run import PhaseName

from app import SPECIFICATION
from app.settings import ROOT
from tests.conformance import CHECKS, PHASES, Report, configuration

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
REPEATED = {PhaseName.FUZZING, PhaseName.STATEFUL_TESTING}
"""The phases that make other cases with another seed; the others have said all they know after the first round."""


@dataclass(frozen=True)
class Mode:
    """How much of the contract is put to an instance, and in which phases; `safe` sends nothing that could write."""

    means: str
    phases: set[PhaseName]
    safe: bool


MODES: Mapping[str, Mode] = {
    "read": Mode(
        "only GET and OPTIONS are sent, so nothing is written",
        PHASES - {PhaseName.STATEFUL_TESTING},  # what it links are writes
        safe=True,
    ),
    "full": Mode("every operation: items are created, changed and DELETED, whoever made them", PHASES, safe=False),
}


class NotAnInstanceError(Exception):
    """What answers at an address, if anything does, is not this service."""


@dataclass
class Instance:
    """The instance at `url`, and what has been put to it so far."""

    url: str
    mode: Mode
    report: Report
    reports: Path

    def contract(self) -> dict[str, Any]:
        """The contract that it serves."""
        try:
            answer = requests.get(f"{self.url}/openapi.json", timeout=30)
        except requests.RequestException as error:
            raise NotAnInstanceError(f"{self.url} cannot be reached: {_reason(error)}") from None
        try:
            contract = answer.json() if answer.ok else None
        except requests.JSONDecodeError:
            contract = None
        if not isinstance(contract, dict) or contract.get("info", {}).get("title") != _own()["info"]["title"]:
            found = f"/openapi.json is answered {answer.status_code}, and is not its contract"
            raise NotAnInstanceError(f"{self.url} is no instance of this service: {found}.")
        return contract

    def put(self, phases: set[PhaseName], cases: int, seed: int) -> bool:
        """Put one round to it, as Schemathesis's own command line does, with its progress and its reports."""
        report = self.report

        class Count(cli.EventHandler[Any]):
            def handle_event(self, _context: Any, event: Any) -> None:
                report.note(event)

        config = configuration()
        folder = self.reports / f"seed-{seed}"
        options = {
            "url": self.url,
            "phases": ",".join(sorted(phases)),
            "max-examples": cases,
            "seed": seed,
            "generation-database": "none",
            "warnings": "off",
            "report": "html,junit",
            "report-html-path": folder,
            "report-junit-path": folder / "junit.xml",
        }
        arguments = [f"{self.url}/openapi.json", *(f"--{name}={value}" for name, value in options.items())]
        if self.mode.safe:
            config.projects.default.phases.coverage.unexpected_methods = {"options"}
            arguments += [f"--include-method={method}" for method in sorted(SAFE_METHODS)]
        CUSTOM_HANDLERS[:] = [Count]
        try:
            cli.schemathesis.commands["run"].main(arguments, prog_name="schemathesis run", obj=config)
        except SystemExit as ended:
            return ended.code == 0


def refuse_to_write(_context: Any, case: Any, _arguments: Any) -> None:
    """Whatever Schemathesis may think of: no request is sent that could write."""
    if case.method.upper() not in SAFE_METHODS:
        raise RuntimeError(f"{case.method} is not sent in the mode that only reads")


def _own() -> dict[str, Any]:
    contract: dict[str, Any] = yaml.safe_load(SPECIFICATION.read_bytes())
    return contract


def _reason(error: requests.RequestException) -> str:
    reason = getattr(error.args[0], "reason", error) if error.args else error
    return str(reason).rpartition("): ")[2]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--mode", choices=MODES, default="read")
    parser.add_argument("--cases", type=int, default=100, help="at most so many for each operation, phase and round")
    parser.add_argument("--rounds", type=int, default=1, help="each with the next seed")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--reports", type=Path, default=ROOT / "var" / "conformance")
    return parser.parse_args()


def main() -> str | None:
    """Put all rounds to the instance, until one has found something; what is wrong with it, if anything is."""
    wanted = _arguments()
    mode = MODES[wanted.mode]
    report = Report(wanted.seed)
    instance = Instance(wanted.url.rstrip("/"), mode, report, wanted.reports)
    try:
        contract = instance.contract()
    except NotAnInstanceError as error:
        return str(error)
    print(f"MODE={wanted.mode}: {mode.means}. SEED={wanted.seed}")
    if contract != _own():
        print("Its contract is not that of this checkout. It is held to the one that it serves.")
    if mode.safe:
        schemathesis.hook("before_call")(refuse_to_write)
    began = time.monotonic()
    for number in range(wanted.rounds):
        passed = instance.put(mode.phases & REPEATED if number else mode.phases, wanted.cases, wanted.seed + number)
        seconds = time.monotonic() - began
        print(f"Round {number + 1} of {wanted.rounds}, {seconds:.0f} s: {report}", flush=True)
        if not passed:
            return f"It did not pass: what is wrong stands above. Repeat it with SEED={wanted.seed + number} ROUNDS=1."
    print(f"Reports: {instance.reports}/seed-*/index.html")
    missing = report.missing(mode.phases, CHECKS)
    return f"These were not at work; raise CASES: {', '.join(missing)}" if missing else None


if __name__ == "__main__":
    sys.exit(main())

"""Run the contract's property tests against a running instance of the service, wherever it is."""

import argparse
import secrets
import sys
import time
from pathlib import Path

import schemathesis
from schemathesis.engine.run import PhaseName

from app.settings import ROOT
from tools.conformance.configuration import contract
from tools.conformance.engine import Report
from tools.conformance.instance import MODES, Instance, NotAnInstanceError, fetch_contract, refuse_to_write

SEEDED_PHASES = {PhaseName.FUZZING, PhaseName.STATEFUL_TESTING}
"""The phases that make other cases with another seed: only these are worth another round."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--mode", choices=MODES, default="read")
    parser.add_argument("--cases", type=int, default=100, help="at most so many for each operation, phase and round")
    parser.add_argument("--rounds", type=int, default=1, help="each with the next seed")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--reports", type=Path, default=ROOT / "var" / "conformance")
    return parser.parse_args()


def main() -> str | None:
    """Run all rounds, or up to the first failure; return the message to exit with."""
    options = _options()
    mode, url = MODES[options.mode], options.url.rstrip("/")
    try:
        served = fetch_contract(url)
    except NotAnInstanceError as error:
        return str(error)
    instance = Instance(url, served, mode, Report(options.seed), options.reports)
    print(f"MODE={options.mode}: {mode.description}. SEED={options.seed}")
    if served != contract():
        print("Its contract is not that of this checkout. It is tested against the one that it serves.")
    if mode.safe:
        schemathesis.hook("before_call")(refuse_to_write)
    failure = _run(instance, options)
    if failure:
        return failure
    print(f"Reports: {instance.reports}/seed-*/index.html")
    unused = instance.report.unused(mode.phases)
    return f"These made no case or checked nothing; raise CASES: {', '.join(unused)}" if unused else None


def _run(instance: Instance, options: argparse.Namespace) -> str | None:
    """Run round after round, each with the next seed; return a message if one fails."""
    began = time.monotonic()
    for number in range(options.rounds):
        phases, seed = instance.mode.phases, options.seed + number
        passed = instance.test(phases & SEEDED_PHASES if number else phases, options.cases, seed)
        seconds = time.monotonic() - began
        print(f"Round {number + 1} of {options.rounds}, {seconds:.0f} s: {instance.report}", flush=True)
        if not passed:
            return f"The tests failed; see above. Repeat them with SEED={seed} ROUNDS=1."
    return None


if __name__ == "__main__":
    sys.exit(main())

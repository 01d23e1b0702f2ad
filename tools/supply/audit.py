"""Looks for known vulnerabilities in the locked packages, of Python and of npm: `make audit`.

Exit status 0: every package was checked, and none has a known vulnerability. 1: there are vulnerabilities. 2: some
packages could not be checked, because the data cannot be reached or does not have them. It never passes silently: with
`--allow-unchecked`, for CI without a network, a 2 becomes a 0, but the output still lists what was not checked.
"""

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tools.supply.locks import REQUIREMENTS, ROOT, Package, packages

SERVICES = ("pypi", "osv")
"""The sources of pip-audit, in the order in which they are asked for what the one before did not have."""
SECONDS = 300


@dataclass
class Findings:
    """What the audit found: how many packages were checked, the vulnerabilities, and why others were not checked."""

    checked: int = 0
    vulnerable: list[str] = field(default_factory=list)
    unchecked: Counter[str] = field(default_factory=Counter)


def main() -> None:
    """Audit all locks, print the findings, and end with the status of the worst one."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--allow-unchecked", action="store_true", help="succeed if some packages cannot be checked")
    options = parser.parse_args()
    locked = {(one.name, one.version): one for lock in sorted(REQUIREMENTS.glob("*.txt")) for one in packages(lock)}
    findings = Findings()
    for round_ in rounds(locked.values()):
        audit_python(round_, findings)
    audit_npm(ROOT, findings)
    sys.exit(report(findings, allow_unchecked=options.allow_unchecked))


def report(findings: Findings, *, allow_unchecked: bool) -> int:
    """Print the findings, and return the exit status."""
    for text in findings.vulnerable:
        print(f"VULNERABLE: {text}")
    for why, count in findings.unchecked.items():
        print(f"NOT CHECKED: {count} packages ({why})")
    unchecked = findings.unchecked.total()
    print(
        f"{findings.checked} packages checked, {len(findings.vulnerable)} known vulnerabilities, "
        f"{unchecked} packages not checked."
    )
    if findings.vulnerable:
        return 1
    return 2 if unchecked and not allow_unchecked else 0


def audit_python(locked: list[Package], findings: Findings) -> None:
    """Ask each service in turn for the packages that the one before did not have."""
    remaining, reasons = locked, []
    for service in SERVICES:
        lines = "".join(f"{package.name}=={package.version}\n" for package in remaining)
        command = ["pip-audit", "--requirement", "/dev/stdin", "--no-deps", "--disable-pip", "--format", "json"]
        output, error = run([*command, "--progress-spinner", "off", "--vulnerability-service", service], lines)
        audited = known(output)
        if audited is None:
            reasons.append(f"{service}: {error}")
            continue
        reasons.append(f"{service}: has no data about them")
        for name, version, ids in audited:
            findings.vulnerable.extend(f"{name} {version}: {one}" for one in ids)
        findings.checked += len(audited)
        done = {(name, version) for name, version, _ in audited}
        remaining = [package for package in remaining if (package.name, package.version) not in done]
        if not remaining:
            return
    findings.unchecked["; ".join(["PyPI's packages", *reasons])] += len(remaining)


def rounds(locked: Iterable[Package]) -> list[list[Package]]:
    """Divide packages into lists that have each name once: the locks differ in some versions, and pip-audit refuses."""
    divided: list[dict[str, Package]] = []
    for package in locked:
        free = next((one for one in divided if package.name not in one), None)
        if free is None:
            divided.append(free := {})
        free[package.name] = package
    return [list(one.values()) for one in divided]


def known(output: str) -> list[tuple[str, str, list[str]]] | None:
    """Return the packages about which pip-audit has data: name, version, and the ids of the vulnerabilities.

    None if it failed. It succeeds if it skips packages, or all of them.
    """
    try:
        dependencies = json.loads(output)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        return None
    return [
        (one["name"], one["version"], [vulnerability["id"] for vulnerability in one["vulns"]])
        for one in dependencies
        if "skip_reason" not in one
    ]


def audit_npm(folder: Path, findings: Findings) -> None:
    """Ask the registry of npm about everything in package-lock.json."""
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    count = len([path for path in lock["packages"] if path])
    output, error = run(["npm", "audit", "--json", "--package-lock-only"], "", folder)
    try:
        vulnerabilities = json.loads(output)["vulnerabilities"]
    except (json.JSONDecodeError, KeyError):
        findings.unchecked[f"npm's packages; npm audit: {error}"] += count
        return
    findings.checked += count
    findings.vulnerable.extend(f"{name} (npm): {one['severity']}" for name, one in vulnerabilities.items())


def run(command: list[str], given: str, folder: Path = ROOT) -> tuple[str, str]:
    """Run a program; return its output, and the reason in case that it failed."""
    try:
        done = subprocess.run(
            command, input=given, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return "", f"no response within {SECONDS} s"
    return done.stdout, reason(done.stdout, done.stderr) or f"{command[0]} ended with {done.returncode}"


def reason(output: str, errors: str) -> str:
    """Return the message of npm's JSON, or the end of the last line of errors; without URLs."""
    try:
        text = json.loads(output)["message"]
    except (json.JSONDecodeError, KeyError):
        text = next(reversed(errors.split("\n")[:-1]), "").rpartition("Caused by ")[2]
    return re.sub(r"\bhttps?://\S+", "…", str(text)).strip("()")[:200]


if __name__ == "__main__":
    main()

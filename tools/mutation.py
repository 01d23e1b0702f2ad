"""Mutation testing of contract/: run mutmut, confirm what survives, and print the score with the survivors.

    python -m tools.mutation [PATTERN ...]

A pattern names mutants, such as `contract.media_types.*`; without one, all of contract/ is tested, which takes hours.
mutmut runs only the tests that call a function directly; a fixture that several tests share hides calls from it. So
each survivor is run once more, against all tests of the selection in pyproject.toml.
"""

import argparse
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

from app.settings import ROOT

MUTANTS = ROOT / "mutants"
DETECTED = ("killed", "timeout", "segfault", "suspicious", "caught by type check")
_RESULT = re.compile(r"^\s*(?P<name>\S+): (?P<status>.+)$", re.MULTILINE)


def main() -> str | None:
    """Test the mutants that the patterns name; return the message to exit with if there are none."""
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="as in contract.media_types.*")
    patterns = parser.parse_args().patterns
    subprocess.run([_program("mutmut"), "run", *patterns], cwd=ROOT, check=True)  # noqa: S603 -- our own program
    results = _results(patterns or ["*"])
    survivors = [name for name, status in results.items() if status in ("survived", "no tests") and _survives(name)]
    counts = Counter(results.values())
    print(f"mutmut: {', '.join(f'{count} {status}' for status, count in counts.most_common())}")
    tested = sum(count for status, count in counts.items() if status in (*DETECTED, "survived", "no tests"))
    if not tested:
        return "No mutant was tested: does the pattern name one? `mutmut results --all true` lists them."
    detected = tested - len(survivors)
    for name in survivors:
        print(_mutmut("show", name))
    print(f"Score: {detected} of {tested} detected, {100 * detected / tested:.1f} %; {len(survivors)} survive")
    return None


def _results(patterns: list[str]) -> dict[str, str]:
    """The status of each mutant that one of the patterns names."""
    found = {match["name"]: match["status"] for match in _RESULT.finditer(_mutmut("results", "--all", "true"))}
    return {name: found[name] for name in found if any(fnmatch(name, pattern) for pattern in patterns)}


def _survives(mutant: str) -> bool:
    """Whether the whole selection of tests passes with this mutant."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
    selection = settings["pytest_add_cli_args_test_selection"]
    command = [sys.executable, "-m", "pytest", "--rootdir=.", "-qx", "-p", "no:cacheprovider", "-n", "auto", *selection]
    environ = {**os.environ, "MUTANT_UNDER_TEST": mutant}
    try:
        done = subprocess.run(  # noqa: S603 -- our own program
            command, cwd=MUTANTS, env=environ, capture_output=True, timeout=900, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _mutmut(*arguments: str) -> str:
    command = [_program("mutmut"), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 -- our own
    return done.stdout


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


if __name__ == "__main__":
    sys.exit(main())

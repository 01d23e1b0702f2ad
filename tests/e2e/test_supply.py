"""`make sbom` and `make audit`, as users run them."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.stack import ROOT, Show


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in the checkout, with the installed packages; it installs its tools first.

    Without the options of the make that may have started the tests: `make e2e ARGS=-q`.
    """
    own = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "ARGS")}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env=own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_the_list_of_packages_is_the_same_when_it_is_made_again(tmp_path: Path) -> None:
    """Byte for byte. `make sbom` validates it against the schema of CycloneDX before it writes it."""
    made = [tmp_path / "first.json", tmp_path / "second.json"]
    for path in made:
        done = make("sbom", f"SBOM={path}")
        assert done.returncode == 0, done.stderr
    assert made[0].read_bytes() == made[1].read_bytes() == (ROOT / "requirements" / "sbom.json").read_bytes()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ('"type": "library"', "is not one of"),
        ('"alg": "SHA-256"', "is not one of"),
        ('"components"', "Additional properties are not allowed"),
    ],
)
def test_a_list_that_violates_the_schema_is_found(change: str, says: str, tmp_path: Path) -> None:
    """The validation is that of the CycloneDX project, in its strict form."""
    listed = (ROOT / "requirements" / "sbom.json").read_text(encoding="utf-8")
    (tmp_path / "wrong.json").write_text(listed.replace(change, change[:-1] + 'x"', 1))
    code = "import sys; from tools.supply.sbom import invalid; print(invalid(open(sys.argv[1]).read()))"
    command = [str(ROOT / ".venv-supply" / "bin" / "python"), "-c", code]
    for path, expected in ((ROOT / "requirements" / "sbom.json", "None"), (tmp_path / "wrong.json", says)):
        done = subprocess.run([*command, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        assert expected in done.stdout


def test_the_audit_says_what_it_has_checked(show: Show) -> None:
    """It succeeds only if it has checked everything."""
    done = make("audit")
    counts = re.search(r"^(\d+) packages checked, (\d+) .*, (\d+) packages not checked\.$", done.stdout, re.MULTILINE)
    assert counts, done.stdout + done.stderr
    checked, vulnerable, unchecked = map(int, counts.groups())
    show(f"make audit: {counts[0]}")
    assert checked + unchecked > 500
    assert (done.returncode == 0) == (vulnerable == unchecked == 0)
    assert ("NOT CHECKED: " in done.stdout) == (unchecked > 0)

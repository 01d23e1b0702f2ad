"""`make audit` finds known vulnerabilities, and never passes silently if it could not look for them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.supply import audit
from tools.supply.locks import Package

A, B = Package("a", "1.0", "", ()), Package("b", "2.0", "", ())
Fake = Callable[[str, str], None]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Put a program of this name, with this script, in front of all others."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def write(name: str, script: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)

    return write


def says(*dependencies: dict[str, object]) -> str:
    """Return the command by which a fake pip-audit prints its result."""
    return f"cat <<'END'\n{json.dumps({'dependencies': dependencies, 'fixes': []})}\nEND"


def found(name: str, version: str, *ids: str) -> dict[str, object]:
    """Return pip-audit's result for a package that it knows."""
    return {"name": name, "version": version, "vulns": [{"id": one} for one in ids]}


def skipped(name: str) -> dict[str, object]:
    """Return its result for a package that it does not know. Its exit status is 0 all the same."""
    return {"name": name, "skip_reason": f"Dependency not found: {name}"}


def python(*locked: Package) -> audit.Findings:
    """Audit packages of Python."""
    findings = audit.Findings()
    audit.audit_python(list(locked), findings)
    return findings


def test_packages_without_known_vulnerabilities_pass(fake: Fake) -> None:
    """All of them were checked."""
    fake("pip-audit", says(found("a", "1.0"), found("b", "2.0")))
    findings = python(A, B)
    assert findings == audit.Findings(checked=2)
    assert audit.report(findings, allow_unchecked=False) == 0


def test_a_vulnerability_fails(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where packages may stay unchecked."""
    fake("pip-audit", says(found("a", "1.0", "PYSEC-1"), found("b", "2.0")) + "\nexit 1")
    findings = python(A, B)
    assert audit.report(findings, allow_unchecked=True) == 1
    assert capsys.readouterr().out == (
        "VULNERABLE: a 1.0: PYSEC-1\n2 packages checked, 1 known vulnerabilities, 0 packages not checked.\n"
    )


def test_a_second_service_has_what_the_first_does_not_have(fake: Fake) -> None:
    """It is asked only for the rest."""
    first = says(found("a", "1.0"), skipped("b"))
    second = f"[ \"$(cat)\" = 'b==2.0' ] || exit 9\n{says(found('b', '2.0', 'GHSA-1'))}"
    fake("pip-audit", f'if [ "${{@: -1}}" = pypi ]; then\n{first}\nelse\n{second}\nfi')
    assert python(A, B) == audit.Findings(checked=2, vulnerable=["b 2.0: GHSA-1"])


def test_packages_that_are_unknown_or_cannot_be_asked_about_are_reported(
    fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    """pip-audit itself would succeed. The status is 2, or 0 if the user has allowed it; the output is the same."""
    error = "x.ConnectionError: Pool(host='h'): Max retries (Caused by NameResolutionError('no h: https://h/q'))"
    fake("pip-audit", f'[ "${{@: -1}}" = pypi ] || {{ echo "{error}" >&2; exit 1; }}\n{says(skipped("a"))}')
    findings = python(A)
    assert audit.report(findings, allow_unchecked=False) == 2
    printed = capsys.readouterr().out
    assert printed == (
        "NOT CHECKED: 1 packages (PyPI's packages; pypi: has no data about them; osv: NameResolutionError('no h: …)\n"
        "0 packages checked, 0 known vulnerabilities, 1 packages not checked.\n"
    )
    assert audit.report(findings, allow_unchecked=True) == 0
    assert capsys.readouterr().out == printed


def npm(folder: Path) -> audit.Findings:
    """Audit a lock with two packages of npm."""
    (folder / "package-lock.json").write_text(
        json.dumps({"packages": {"": {}, "node_modules/c": {}, "node_modules/d": {}}})
    )
    findings = audit.Findings()
    audit.audit_npm(folder, findings)
    return findings


def test_vulnerabilities_of_npm_packages_fail(fake: Fake, tmp_path: Path) -> None:
    """With their severity."""
    fake("npm", 'echo \'{"vulnerabilities": {"c": {"severity": "high"}}}\'; exit 1')
    assert npm(tmp_path) == audit.Findings(checked=2, vulnerable=["c (npm): high"])
    fake("npm", "echo '{\"vulnerabilities\": {}}'")
    assert npm(tmp_path) == audit.Findings(checked=2)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ('echo \'{"message": "405 - POST https://r/x"}\'; echo long >&2; exit 1', "405 - POST …"),
        ("exit 3", "npm ended with 3"),
    ],
)
def test_a_registry_without_data_is_reported(fake: Fake, tmp_path: Path, script: str, why: str) -> None:
    """The number of packages counts as not checked."""
    fake("npm", script)
    assert npm(tmp_path).unchecked == {f"npm's packages; npm audit: {why}": 2}


def test_packages_are_asked_for_once_each() -> None:
    """The locks can have two versions of a package; pip-audit takes one at a time."""
    newer = Package("a", "1.1", "", ())
    assert audit.rounds([A, B, newer]) == [[A, B], [newer]]

"""An operation may be removed once its `x-sunset` has passed, and not before."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.tools.contracts import BASE, GONE, PUT, edited
from tests.tools.test_contract_diff_command import commit, replace, repository
from tools.contract_diff.__main__ import main
from tools.contract_diff.documents import Contract
from tools.contract_diff.operations import changes

__all__ = ["repository"]
SUNSET = datetime(2027, 6, 30, 10, tzinfo=UTC)
REMOVED = edited(("paths /things/{id}", GONE))
AGO = timedelta(microseconds=1)


def deprecated(sunset: Any) -> Any:
    """The contract whose operation will be gone then."""
    return edited((f"{PUT} deprecated", True), (f"{PUT} x-sunset", sunset))


def said(old: Any, new: Any, now: datetime = SUNSET) -> list[str]:
    """The changes as they are printed, without the line."""
    found = changes(Contract("things.yaml", old), Contract("things.yaml", new), now)
    return [str(change).partition(" ")[2].replace("  ", " ").strip() for change in found]


@pytest.mark.parametrize("sunset", ["2027-06-30T10:00:00Z", "2027-06-30T12:00:00+02:00", "2027-06-30t10:00:00z"])
def test_before_the_date_removal_is_refused(sunset: str) -> None:
    """From then on, it is compatible."""
    gone = [f"refused PUT /things/{{id}}: is gone before its x-sunset, {sunset}"]
    assert [" ".join(line.split()) for line in said(deprecated(sunset), REMOVED, SUNSET - AGO)] == gone
    assert said(deprecated(sunset), REMOVED) == [f"compatible PUT /things/{{id}}: is gone after its x-sunset, {sunset}"]


def test_a_date_begins_in_utc() -> None:
    """A day without a time is over when it begins."""
    old, day = deprecated("2027-06-30"), datetime(2027, 6, 30, tzinfo=UTC)
    assert "refused" in said(old, REMOVED, day - AGO)[0]
    assert "compatible" in said(old, REMOVED, day)[0]


@pytest.mark.parametrize(
    "old",
    [BASE, edited((f"{PUT} deprecated", True)), deprecated("soon"), edited((f"{PUT} x-sunset", "2020-01-01"))],
    ids=["active", "without a date", "invalid", "not deprecated"],
)
def test_without_a_date_removal_breaks_clients(old: Any) -> None:
    """They did not know."""
    assert [line.split(maxsplit=1) for line in said(old, REMOVED)] == [["breaking", "PUT /things/{id}: is gone"]]


def test_a_date_can_become_later_and_not_earlier() -> None:
    """Nor can it be removed by way of an earlier one."""
    early, late = deprecated("2027-06-30"), deprecated("2027-07-31")
    there, back = said(early, late), said(late, early)
    assert there == ["compatible PUT /things/{id}: x-sunset was 2027-06-30, is 2027-07-31"]
    assert [" ".join(line.split()) for line in back] == [
        "refused PUT /things/{id}: x-sunset was 2027-07-31, is 2027-06-30"
    ]
    assert said(BASE, early) == [
        "compatible PUT /things/{id}: is deprecated",
        "compatible PUT /things/{id}: x-sunset was None, is 2027-06-30",
    ]
    assert said(early, BASE) == ["compatible PUT /things/{id}: x-sunset was 2027-06-30, is None"]


@pytest.mark.parametrize(("sunset", "status"), [("9999-01-01", 1), ("2020-01-01", 0)])
def test_the_command_refuses_it_whatever_the_version(
    repository: Path, capsys: pytest.CaptureFixture[str], sunset: str, status: int
) -> None:
    """A new major version does not help, and after the date none is needed."""
    replace(repository / "paths.yaml", ("  get:\n", f'  get:\n    deprecated: true\n    x-sunset: "{sunset}"\n'))
    commit(repository)
    replace(repository / "paths.yaml", ("  get:", "  put:"))
    if status:
        replace(repository / "things.yaml", ("1.2.0", "2.0.0"))
    assert main("HEAD", "api/things.yaml") == status
    told = "Clients were told that they have until the date in x-sunset. Keep it."
    assert (told in capsys.readouterr().out) is bool(status)

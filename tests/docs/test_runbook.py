"""docs/runbook.md has every task and every alert."""

import re

import pytest
import yaml

from app.settings import ROOT
from tests.docs.markdown import headings, read

PAGE = read("docs/runbook.md")
RULES = ROOT / "ops" / "alerts.yaml"
ALERTS = re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)


def test_the_tasks_are_there() -> None:
    """In the order in which they are needed."""
    tasks = ["Look first", "Start", "Stop", "Upgrade", "Back up", "Restore", "Rotate a key", "Renew a certificate"]
    tasks += ["Full disk", "Alerts"]
    assert [heading for heading in headings(PAGE) if heading in tasks] == tasks


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_three_steps(alert: str) -> None:
    """Numbered, and not more: who reads them has just been woken up."""
    text = re.split(rf"^### {alert}$", PAGE, flags=re.MULTILINE)[1].split("\n#")[0]
    assert re.findall(r"^(\d)\. ", text, re.MULTILINE) == ["1", "2", "3"]


def test_every_alert_rule_has_its_steps() -> None:
    """Under its own name, to which the rule links."""
    if not RULES.exists():
        pytest.skip("there are no alert rules yet: ops/alerts.yaml is missing")
    rules = [rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]
    assert sorted(rule["alert"] for rule in rules) == sorted(ALERTS)
    for rule in rules:
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"

"""The mutation run: which mutants count, and that each survivor is run once more against the whole selection."""

import re
import sys

import pytest

from tools import mutation

RESULTS = """
    contract.urls.x_a__mutmut_1: killed
    contract.urls.x_a__mutmut_2: survived
    contract.urls.x_a__mutmut_3: no tests
    contract.urls.x_a__mutmut_4: timeout
    contract.urls.x_a__mutmut_5: not checked
    contract.problems.x_a__mutmut_1: survived
"""


@pytest.fixture
def confirmed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The mutants that are run once more. In place of mutmut and pytest; only the second mutant survives both."""
    asked: list[str] = []

    def survives(mutant: str) -> bool:
        asked.append(mutant)
        return mutant.endswith("_2")

    monkeypatch.setattr(mutation, "_survives", survives)
    monkeypatch.setattr(mutation, "_mutmut", lambda *arguments: RESULTS if arguments[0] == "results" else arguments[1])
    monkeypatch.setattr(mutation, "_program", lambda _name: "true")
    return asked


def test_the_score_counts_what_the_whole_selection_detects(
    confirmed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the mutants that the pattern names and that were tested; the survivors are shown."""
    monkeypatch.setattr(sys, "argv", ["make mutate", "contract.urls.*"])
    assert mutation.main() is None
    assert confirmed == ["contract.urls.x_a__mutmut_2", "contract.urls.x_a__mutmut_3"]
    counts, shown, score = capsys.readouterr().out.splitlines()
    assert shown == "contract.urls.x_a__mutmut_2"
    assert re.findall(r"\d+ [a-z ]+", counts) == ["1 killed", "1 survived", "1 no tests", "1 timeout", "1 not checked"]
    assert score == "Score: 3 of 4 detected, 75.0 %; 1 survive"


def test_a_pattern_that_names_no_mutant_is_an_error(confirmed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to list them."""
    monkeypatch.setattr(sys, "argv", ["make mutate", "contract.nothing.*"])
    assert str(mutation.main()).startswith("No mutant was tested")
    assert confirmed == []

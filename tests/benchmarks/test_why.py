"""docs/why.md gets its table of costs from a run of the benchmarks."""

from pathlib import Path

import pytest

from benchmarks import why
from tests.docs.markdown import read


def test_update_writes_the_figures_of_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It returns the rows that have changed, and changes nothing else of the page."""
    page, results = tmp_path / "why.md", tmp_path / "RESULTS.md"
    old = read("docs/why.md")
    figures = read("benchmarks/RESULTS.md")
    [_, service, *_] = why.current(old).splitlines()[2].strip("| ").split(" | ")
    page.write_text(old)
    results.write_text(figures.replace(f"| this service | {service} |", "| this service | 7,654 |"))
    monkeypatch.setattr(why, "PAGE", page)
    monkeypatch.setattr(why, "RESULTS", results)
    [changed] = why.update()
    assert changed.startswith("| GET of one item, µs | 7,654 |")
    assert page.read_text().replace("7,654", service) == old
    assert why.update() == []

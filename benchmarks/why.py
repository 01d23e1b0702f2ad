"""The table of costs in docs/why.md, made from RESULTS.md: `python -m benchmarks.why` updates it."""

import re
from collections.abc import Iterator

from benchmarks.registry import CHECKOUT, CONNEXION_ASYNC, CONNEXION_FLASK, FASTAPI, SERVICE
from benchmarks.report import table

PAGE = CHECKOUT / "docs" / "why.md"
RESULTS = CHECKOUT / "benchmarks" / "RESULTS.md"
CONTESTANTS = [one.label for one in (SERVICE, FASTAPI, CONNEXION_ASYNC, CONNEXION_FLASK)]
ROWS = {
    "GET of one item, µs": ("CPU per request, µs", "GET one"),
    "GET of a page of 50 items, µs": ("CPU per request, µs", "GET 50"),
    "POST, µs": ("CPU per request, µs", "POST"),
    "POST with a durable write, µs": ("CPU per request, µs", "POST, durable"),
    "a 400, µs": ("CPU per request, µs", "a 400 (name of 81 characters)"),
    "memory, MB": ("Memory and start", "memory, MB"),
    "start to first response, s": ("Memory and start", "start to first 200, s"),
}
"""The rows, each with the table and the column of RESULTS.md."""
_TABLE = re.compile(r"^\| +\| This service .*(?:\n\|.*)+", re.MULTILINE)


def expected(results: str) -> str:
    """Return the table for these results."""
    rows = []
    for title, (heading, column) in ROWS.items():
        head, *lines = _cells(results, heading)
        figures = {line[0]: line[head.index(column)] for line in lines}
        rows.append([title, *(figures[contestant] for contestant in CONTESTANTS)])
    return table(["", *(label[0].upper() + label[1:] for label in CONTESTANTS)], rows)


def current(page: str) -> str:
    """Return the table of the page."""
    found = _TABLE.search(page)
    if found is None:
        raise ValueError(f"{PAGE} has no table of costs")
    return found[0]


def update() -> list[str]:
    """Write the table of the page, and return the rows that have changed."""
    page = PAGE.read_text(encoding="utf-8")
    old, new = current(page), expected(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(page.replace(old, new), encoding="utf-8")
    return [line for line in new.splitlines() if line not in old.splitlines()]


def _cells(text: str, heading: str) -> Iterator[list[str]]:
    """Yield the rows of the table below a heading, the header first."""
    section = re.split(rf"^## {re.escape(heading)}$", text, maxsplit=1, flags=re.MULTILINE)[1].partition("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("|") and not line.startswith("| ---"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


if __name__ == "__main__":
    print("\n".join(update()))

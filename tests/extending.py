"""`docs/extending.md`, followed to the letter: what it says to write is written, in a copy of the project."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.docs.markdown import blocks, read

PAGE = "docs/extending.md"
_STEP = re.compile(
    r"^(?P<how>New file|At the end of|In) `(?P<file>[^`]+)`(?:, (?P<side>before|after) `(?P<line>[^`]+)`)?:\n\n"
    r"```\w+\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Step:
    """One block of the page and where it goes: a new file, the end of one, or beside a line that is there once."""

    how: str
    file: str
    side: str | None
    line: str | None
    text: str

    @property
    def lines(self) -> int:
        """How many lines a person writes; empty ones are none."""
        return sum(bool(line.strip()) for line in self.text.splitlines())

    def take(self, folder: Path) -> None:
        """Write it into the copy in `folder`."""
        file = folder / self.file
        if self.how == "New file":
            assert not file.exists(), f"{self.file} is there already"
            file.write_text(self.text, "utf-8")
            return
        there = file.read_text("utf-8")
        if self.line is None:
            file.write_text(there + self.text, "utf-8")
            return
        line = f"\n{self.line}\n"
        assert there.count(line) == 1, f"{self.line!r} is {there.count(line)} times in {self.file}"
        put = f"\n{self.text}{line[1:]}" if self.side == "before" else f"{line}{self.text}"
        file.write_text(there.replace(line, put), "utf-8")


def steps() -> list[Step]:
    """What the page says to write. Every block says where it goes, but for the commands."""
    found = [Step(**match.groupdict()) for match in _STEP.finditer(read(PAGE))]
    assert [step.text for step in found] == blocks(read(PAGE), "yaml", "python")
    return found


def commands() -> list[str]:
    """What the page says to run."""
    return [line for block in blocks(read(PAGE), "sh") for line in block.replace("\\\n ", "").splitlines()]


def lines() -> dict[str, int]:
    """How many lines there are to write: of the contract, of code, of tests, and in all."""
    kinds = {"contract": 0, "code": 0, "tests": 0}
    for step in steps():
        kind = {"openapi": "contract", "tests": "tests"}.get(step.file.partition("/")[0], "code")
        kinds[kind] += step.lines
    return {"all": sum(kinds.values()), **kinds}

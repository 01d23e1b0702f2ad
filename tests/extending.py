"""The steps of `docs/extending.md`, for tests that take them in a copy of the project."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.settings import ROOT
from tests.docs.markdown import blocks, read

PAGE = "docs/extending.md"
_STEP = re.compile(
    r"^(?P<how>New file|In) `(?P<file>[^`]+)`(?:, before `(?P<line>[^`]+)`)?:\n\n```\w+\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Step:
    """One block of the page and where it goes: a new file, or before a line that is there once."""

    how: str
    file: str
    line: str | None
    text: str

    @property
    def lines(self) -> int:
        """How many lines a person writes; empty ones do not count."""
        return sum(bool(line.strip()) for line in self.text.splitlines())

    def take(self, folder: Path) -> None:
        """Write it into the copy in `folder`."""
        file = folder / self.file
        if self.how == "New file":
            assert not file.exists(), f"{self.file} exists already"
            file.write_text(self.text, "utf-8")
            return
        before, line = file.read_text("utf-8"), f"\n{self.line}\n"
        assert before.count(line) == 1, f"{self.line!r} is {before.count(line)} times in {self.file}"
        file.write_text(before.replace(line, f"\n{self.text}{line[1:]}"), "utf-8")


def steps() -> list[Step]:
    """What the page says to write. Every block says where it goes, except the commands."""
    found = [Step(**match.groupdict()) for match in _STEP.finditer(read(PAGE))]
    assert [step.text for step in found] == blocks(read(PAGE), "yaml", "python")
    return found


def operation() -> list[Step]:
    """The first section: one operation."""
    return steps()[:2]


def resource() -> Step:
    """The second section: the schema of a resource."""
    return steps()[2]


def commands() -> list[str]:
    """What the page says to run."""
    return [line for block in blocks(read(PAGE), "sh") for line in block.splitlines()]


def copy(target: Path) -> None:
    """Put the checkout, as it is now, into `target`: what Git knows, and what is new and not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)

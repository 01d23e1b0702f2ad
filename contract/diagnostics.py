"""How faults in files are shown: the place, the line itself, what is wrong, and what to write instead.

This module uses only Python's own library, so that it also works while the rest of the code cannot be loaded.
"""

import difflib
import linecache
import os
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

Steps = tuple[str, ...]
_MAX_FAULTS = 20
_MAX_LINE = 110
_MAX_PLACES = 5


@dataclass(frozen=True)
class Place:
    """A place in a file. `line` and `column` count from 1; `length` characters from there on are marked."""

    file: Path
    line: int
    column: int
    text: str
    length: int = 1

    def __str__(self) -> str:
        path = os.path.relpath(self.file)
        return f"{self.file if path.startswith('..') else path}:{self.line}:{self.column}"

    def excerpt(self, help_: str) -> Iterator[str]:
        """Yield the line with its number, and a line with marks and the help below it."""
        number = f"{self.line:5} | "
        start = max(0, self.column - _MAX_LINE // 2) if len(self.text) > _MAX_LINE else 0
        text = self.text[start : start + _MAX_LINE].rstrip().replace("\t", "→")
        marks = "^" * max(1, min(self.length, len(text) - (self.column - 1 - start)))
        yield number + text
        yield f"{' ' * 6}| {' ' * (self.column - 1 - start)}{marks} {help_}".rstrip()


@dataclass(frozen=True)
class Fault:
    """Something that is wrong: in a sentence, and what to write instead.

    `at` are the steps to the place in the contract, of the key there rather than its value if `key` is set. `see` are
    the steps to another place, which replaces `{see}` in the help. `place` is known once a file is.
    """

    message: str
    help: str = ""
    at: Steps = ()
    key: bool = False
    see: Steps = ()
    place: Place | None = None


class ContractError(Exception):
    """The contract, the handlers and the application do not fit together; the message lists every fault."""

    def __init__(self, what: str, faults: Iterable[Fault] = ()) -> None:
        super().__init__("\n".join([what, *_render(list(faults))]))


def shown(*faults: Fault) -> str:
    """Return the lines for these faults."""
    return "\n".join(_render(faults))


def pointer(steps: Steps) -> str:
    """Return the JSON Pointer (RFC 6901) of these steps."""
    return "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps)


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return the question whether the closest of the names is meant, or nothing if none is close."""
    found = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean `{found[0]}`?" if found else ""


def of_exception(error: BaseException, folder: Path) -> Fault:
    """Return the fault that an exception reports: the last line of a file in `folder` that took part in it."""
    message = traceback.format_exception_only(error)[-1].strip()
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        text = (error.text or linecache.getline(error.filename, error.lineno)).rstrip("\n")
        ends_here = error.end_lineno in (None, error.lineno) and error.end_offset and error.offset
        length = max(1, (error.end_offset or 0) - (error.offset or 1)) if ends_here else 1
        return Fault(message, place=Place(Path(error.filename), error.lineno, error.offset or 1, text, length))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(folder) and frame.lineno and ".venv" not in Path(frame.filename).parts:
            text = linecache.getline(frame.filename, frame.lineno).rstrip("\n")
            column, end = frame.colno or 0, frame.end_colno or 0
            length = end - column if frame.end_lineno == frame.lineno else 1
            return Fault(message, place=Place(Path(frame.filename), frame.lineno, column + 1, text, max(1, length)))
    return Fault(message)


def _render(faults: Sequence[Fault]) -> Iterator[str]:
    """Yield the lines for all faults, in the order of their places. Equal faults are shown once."""
    groups: dict[tuple[str, str], list[Fault]] = {}
    for fault in sorted(faults, key=_order):
        groups.setdefault((fault.message, fault.help), []).append(fault)
    for group in list(groups.values())[:_MAX_FAULTS]:
        places = dict.fromkeys(fault.place for fault in group if fault.place)
        yield from _block(group[0], list(places)[1:])
    if len(groups) > _MAX_FAULTS:
        yield f"… and {len(groups) - _MAX_FAULTS} more"


def _block(fault: Fault, others: Sequence[Place]) -> Iterator[str]:
    """Yield the lines for one fault and the other places where it is found."""
    help_ = fault.help.replace("{see}", pointer(fault.see))
    if fault.place is None:
        where = f"{pointer(fault.at)}: " if fault.at else ""
        yield f"  - {where}{fault.message}{'; ' if help_ else ''}{help_}"
        return
    yield f"{fault.place}: {fault.message}"
    yield from fault.place.excerpt(help_)
    if others:
        shown = ", ".join(f"{place.line}:{place.column}" for place in others[:_MAX_PLACES])
        more = f" and {len(others) - _MAX_PLACES} more" if len(others) > _MAX_PLACES else ""
        yield f"{' ' * 6}= the same at {shown}{more}"


def _order(fault: Fault) -> tuple[str, int, int]:
    return (str(fault.place.file), fault.place.line, fault.place.column) if fault.place else ("", 0, 0)

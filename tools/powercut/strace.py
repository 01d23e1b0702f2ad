"""Reads the output of `strace -f -y -xx`: system calls, each with the moments of its entry and its exit.

A moment is a position in the output. strace handles one stop of one process at a time, and prints the entry before the
call is executed and the exit before the process goes on. So when one call causes another (a response is sent because a
sync has ended), the exit of the first has an earlier moment than the entry of the second, whatever their processes.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LINE = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>)?(?P<rest>.*)", re.DOTALL)
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|\?)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
_QUOTED = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(?P<cut>\.\.\.)?')
_DESCRIPTOR = re.compile(r"(?:\d+|AT_FDCWD)<(?P<path>(?:\\x[0-9a-f]{2})*)>(?P<deleted>\(deleted\))?")


class TraceError(Exception):
    """The trace does not have what is needed."""


@dataclass(frozen=True)
class Call:
    """A system call. `result` is None if the process was killed before the call ended: `exit` is None then, too."""

    name: str
    thread: int
    arguments: str
    result: int | None
    entry: int
    exit: int | None

    def strings(self) -> list[bytes]:
        """Return the quoted arguments. Raise `TraceError` if strace has shortened one."""
        found = list(_QUOTED.finditer(self.arguments))
        if any(one["cut"] for one in found):
            raise TraceError(f"strace has shortened an argument of {self.name}")
        return [_unescape(one[1]) for one in found]

    def descriptors(self) -> list[str]:
        """Return the paths of the file descriptors; those of deleted files are empty."""
        found = _DESCRIPTOR.finditer(self.arguments)
        return ["" if one["deleted"] else _unescape(one["path"]).decode("utf-8", "replace") for one in found]

    def number(self, index: int) -> int:
        """Return an argument that is a number, counted from the end (-1 is the last one)."""
        return int(self.arguments.rsplit(", ", -index)[index])


def _unescape(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def hexadecimal(text: str) -> str:
    """Return a text as strace prints it with `-xx`."""
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


def read(lines: Iterable[str], wanted: Iterable[str]) -> Iterator[Call]:
    """Yield the calls whose entry contains one of the texts in `wanted`, in the order of their exits."""
    wanted = tuple(wanted)
    begun: dict[int, tuple[int, str]] = {}
    for moment, line in enumerate(lines):
        found = _LINE.fullmatch(line.rstrip("\n"))
        if found is None:
            raise TraceError(f"line {moment + 1} of the trace is not a call: {line[:200]!r}")
        thread, entry, text = int(found["thread"]), moment, found["rest"]
        if found["resumed"]:
            if thread not in begun:
                continue
            entry, start = begun.pop(thread)
            text = start + text
        elif not any(one in text for one in wanted):
            continue
        elif text.endswith(_UNFINISHED):
            begun[thread] = moment, text.removesuffix(_UNFINISHED)
            continue
        call = _CALL.match(text)
        if call is None:
            raise TraceError(f"line {moment + 1} of the trace is not a call: {line[:200]!r}")
        yield _call(call, thread, entry, moment)
    for thread, (entry, text) in begun.items():
        name, _, arguments = text.partition("(")
        yield Call(name, thread, arguments, None, entry, None)


def _call(found: re.Match[str], thread: int, entry: int, moment: int) -> Call:
    if found["result"] == "?":
        return Call(found["name"], thread, found["arguments"], None, entry, None)
    return Call(found["name"], thread, found["arguments"], int(found["result"]), entry, moment)

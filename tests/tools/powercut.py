"""Makes traces as strace writes them, for the tests of the power cuts."""

from collections.abc import Sequence
from pathlib import Path

from tools.powercut.events import Event, events
from tools.powercut.strace import hexadecimal

DATABASE = Path("/room/data/items.db")


def path(name: str) -> str:
    """Return the path of a file of the database as strace prints it; the empty name is the folder."""
    return hexadecimal(str(DATABASE.parent / name))


def quoted(data: bytes) -> str:
    """Return a string as strace prints it."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


def create(name: str, thread: int = 1) -> str:
    """A file is created."""
    return f'{thread} openat(AT_FDCWD<\\x2f>, "{path(name)}", O_RDWR|O_CREAT|O_CLOEXEC, 0644) = 3<{path(name)}>'


def write(name: str, offset: int, data: bytes, thread: int = 1) -> str:
    """A file is written."""
    return f"{thread} pwrite64(3<{path(name)}>, {quoted(data)}, {len(data)}, {offset}) = {len(data)}"


def sync(name: str, thread: int = 1) -> str:
    """A file or the folder is synced."""
    return f"{thread} fdatasync(3<{path(name)}>) = 0"


def send(request_id: str, thread: int = 1) -> str:
    """A response is sent."""
    data = f"HTTP/1.1 201 Created\r\nx-request-id: {request_id}\r\n\r\n{{}}".encode()
    return f"{thread} write(9<{hexadecimal('socket:[77]')}>, {quoted(data)}, {len(data)}) = {len(data)}"


def unfinished(line: str) -> tuple[str, str]:
    """Divide the line of a call into that of its entry and that of its exit."""
    start, end = line.rsplit(") = ", 1)
    thread, name = start.partition("(")[0].split()
    return f"{start} <unfinished ...>", f"{thread} <... {name} resumed>) = {end}"


def traced(folder: Path, lines: Sequence[str]) -> list[Event]:
    """Return the events of a trace with these lines."""
    trace = folder / "trace"
    trace.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    return events(trace, DATABASE)
